// SPDX-License-Identifier: Apache-2.0
#include "model/save.h"

#include <fmt/format.h>

#include "core/atomic_file.h"
#include "model/constant_store.h"
#include "model/walk.h"
#include "model/writer.h"

namespace wattwise::model {
namespace {

/// Protocol buffers end here.
constexpr uint64_t kMaxFileBytes = 0x7fffffff;
/// Smaller constants stay in the model file when there is a data file.
constexpr size_t kMinExternalBytes = 1024;
constexpr uint64_t kAlignment = 64;         // a cache line, for every constant
constexpr uint64_t kLargeAlignment = 4096;  // a page, for those worth mapping on their own
constexpr uint64_t kLargeBytes = 1 << 20;

uint64_t aligned(uint64_t offset, uint64_t size) {
  const uint64_t alignment = size >= kLargeBytes ? kLargeAlignment : kAlignment;
  return (offset + alignment - 1) / alignment * alignment;
}

Error too_large(uint64_t size) {
  return {ErrorCode::kUnsupported,
          fmt::format("the model has {} bytes, one ONNX file holds at most {}; save it with an "
                      "external data file",
                      size, kMaxFileBytes)};
}

Result<void> write_rope(const Rope& rope, const ByteSink& sink) {
  if (rope.size() > kMaxFileBytes) return too_large(rope.size());
  return rope.write(sink);
}

Result<void> append(std::span<const std::byte> bytes, const ConstantStore* store,
                    AtomicFile& file) {
  return visit_released(bytes, store,
                        [&](std::span<const std::byte> piece) { return file.append(piece); });
}

Result<void> commit_rope(const Rope& rope, const ConstantStore* store, AtomicFile& file) {
  WATTWISE_TRY(write_rope(
      rope, [&](std::span<const std::byte> piece) { return append(piece, store, file); }));
  return file.commit();
}

/// Writes the large initializers to the data file and returns where each lies.
Result<ExternalLayout> write_data(const Model& model, const std::string& name, AtomicFile& file) {
  ExternalLayout layout;
  std::vector<const Constant*> constants;
  for_each_graph(model.graph, [&](const Graph& graph, const std::string&) {
    for (const Constant& constant : graph.initializers) {
      if (constant.data.size() >= kMinExternalBytes) constants.push_back(&constant);
    }
  });
  const std::vector<std::byte> zeros(kLargeAlignment);
  uint64_t position = 0;
  for (const Constant* constant : constants) {
    const uint64_t offset = aligned(position, constant->data.size());
    WATTWISE_TRY(file.append(std::span(zeros).first(offset - position)));
    WATTWISE_TRY(append(constant->data.view(), model.store.get(), file));
    layout[constant] = {name, offset};
    position = offset + constant->data.size();
  }
  return layout;
}

}  // namespace

uint64_t serialized_size(const Model& model) { return write_model(model, nullptr).size(); }

Result<void> write(const Model& model, const ByteSink& sink) {
  return write_rope(write_model(model, nullptr), sink);
}

namespace {

Result<std::string> to_text(const Rope& rope) {
  std::string out;
  if (rope.size() > kMaxFileBytes) return too_large(rope.size());
  out.reserve(rope.size());
  WATTWISE_TRY(rope.write([&](std::span<const std::byte> piece) -> Result<void> {
    out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  }));
  return out;
}

}  // namespace

Result<std::string> serialize(const Model& model) { return to_text(write_model(model, nullptr)); }

Result<std::string> serialize(const Model& model, const ExternalLayout& external) {
  return to_text(write_model(model, &external));
}

std::string data_file_of(const std::string& path) { return path + ".data"; }

uint64_t saved_size(const Env& env, const std::string& path) {
  uint64_t total = 0;
  for (const std::string& file : {path, data_file_of(path)}) {
    const auto info = env.stat(file);
    total += info ? info->size_bytes : 0;
  }
  return total;
}

Result<void> save(Env& env, const Model& model, const std::string& path,
                  const std::string& external_data) {
  auto file = WATTWISE_TRY(AtomicFile::create(env, path));
  if (external_data.empty()) {
    const Rope rope = write_model(model, nullptr);
    if (rope.size() <= kMaxFileBytes) return commit_rope(rope, model.store.get(), file);
  }
  const std::string name = external_data.empty() ? file_name(data_file_of(path)) : external_data;
  auto data = WATTWISE_TRY(AtomicFile::create(env, join_path(parent_path(path), name)));
  const ExternalLayout layout = WATTWISE_TRY(write_data(model, name, data));
  WATTWISE_TRY(data.commit());
  return commit_rope(write_model(model, &layout), model.store.get(), file);
}

}  // namespace wattwise::model
