// SPDX-License-Identifier: Apache-2.0
#include "model/save.h"

#include <fmt/format.h>

#include "core/atomic_file.h"
#include "model/quote.h"
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

Result<void> check_size(const Rope& rope) {
  if (rope.size() <= kMaxFileBytes) return {};
  return Error(ErrorCode::kUnsupported,
               fmt::format("the model has {} bytes, one ONNX file holds at most {}; save it with "
                           "an external data file",
                           rope.size(), kMaxFileBytes));
}

Result<void> write_rope(const Rope& rope, const ByteSink& sink) {
  WATTWISE_TRY(check_size(rope));
  return rope.write(sink);
}

Result<std::string> to_text(const Rope& rope) {
  WATTWISE_TRY(check_size(rope));
  std::string out;
  out.reserve(rope.size());
  WATTWISE_TRY(rope.write([&](std::span<const std::byte> piece) -> Result<void> {
    out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  }));
  return out;
}

Result<void> append_rope(const Rope& rope, AtomicFile& file) {
  return write_rope(rope, [&](std::span<const std::byte> piece) { return file.append(piece); });
}

/// What goes to the data file, and where in it.
struct DataPlan {
  ExternalLayout layout;
  std::vector<const Constant*> order;
};

/// Large constants of every graph: initializers and the tensors of `Constant` nodes.
DataPlan plan_data(const Model& model, const std::string& name) {
  DataPlan plan{{name, {}}, {}};
  uint64_t position = 0;
  for_each_constant(model.graph, [&](const Constant& constant) {
    if (constant.data.size() < kMinExternalBytes) return;
    const uint64_t offset = aligned(position, constant.data.size());
    plan.layout.offsets[&constant] = offset;
    plan.order.push_back(&constant);
    position = offset + constant.data.size();
  });
  return plan;
}

Result<void> append_data(const DataPlan& plan, AtomicFile& file) {
  const std::vector<std::byte> zeros(kLargeAlignment);
  uint64_t position = 0;
  for (const Constant* constant : plan.order) {
    const uint64_t offset = plan.layout.offsets.at(constant);
    if (offset > position) WATTWISE_TRY(file.append(std::span(zeros).first(offset - position)));
    WATTWISE_TRY(file.append(constant->data.view()));
    position = offset + constant->data.size();
  }
  return {};
}

/// Moves a file out of the way, and back again unless it is told to forget it.
class SetAside {
 public:
  static Result<SetAside> move(Env& env, const std::string& path, const std::string& aside) {
    const bool exists = env.stat(path).has_value();
    if (exists) WATTWISE_TRY(env.rename(path, aside));
    return SetAside(env, path, exists ? aside : "");
  }
  SetAside(SetAside&& other) noexcept
      : env_(other.env_), path_(std::move(other.path_)), aside_(std::move(other.aside_)) {
    other.path_.clear();
  }
  SetAside& operator=(SetAside&&) = delete;
  /// A failure is under way already: what cannot be put back stays under its other name.
  ~SetAside() {
    if (path_.empty()) return;
    [[maybe_unused]] const auto restored =
        aside_.empty() ? env_.remove(path_) : env_.rename(aside_, path_);
  }
  /// The new file stays. A leftover that the system refuses to remove does no harm.
  void forget() {
    if (!aside_.empty()) [[maybe_unused]]
      const auto ignored = env_.remove(aside_);
    path_.clear();
  }

 private:
  SetAside(Env& env, std::string path, std::string aside)
      : env_(env), path_(std::move(path)), aside_(std::move(aside)) {}
  Env& env_;
  std::string path_;
  std::string aside_;
};

/// Puts both files in place; if the model's cannot be, the former data file comes back.
Result<void> commit_both(Env& env, const std::string& data_path, AtomicFile& data,
                         AtomicFile& file) {
  auto former = WATTWISE_TRY(SetAside::move(env, data_path, data.temporary_path() + ".old"));
  WATTWISE_TRY(data.commit());
  const auto committed = file.commit();
  // The rename may have worked and only making it durable failed: then both files are the new ones.
  if (committed || !env.stat(file.temporary_path())) former.forget();
  return committed;
}

Result<void> check_data_name(const std::string& name, const std::string& path) {
  if (name != "." && name != ".." && name.find('/') == std::string::npos &&
      name.find('\0') == std::string::npos && name != file_name(path)) {
    return {};
  }
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{} cannot name the data file of {}; give a file name without a folder "
                           "that differs from the model's",
                           quoted(name), path));
}

Result<void> save_with_data(Env& env, const Model& model, const std::string& path,
                            const std::string& name) {
  WATTWISE_TRY(check_data_name(name, path));
  const DataPlan plan = plan_data(model, name);
  const Rope rope = write_model(model, &plan.layout);
  WATTWISE_TRY(check_size(rope));
  const std::string data_path = join_path(parent_path(path), name);
  auto data = WATTWISE_TRY(AtomicFile::create(env, data_path));
  auto file = WATTWISE_TRY(AtomicFile::create(env, path));
  WATTWISE_TRY(append_data(plan, data));
  WATTWISE_TRY(append_rope(rope, file));
  WATTWISE_TRY(data.flush());
  WATTWISE_TRY(file.flush());
  return commit_both(env, data_path, data, file);
}

}  // namespace

uint64_t serialized_size(const Model& model) { return write_model(model, nullptr).size(); }

Result<void> write(const Model& model, const ByteSink& sink) {
  return write_rope(write_model(model, nullptr), sink);
}

Result<std::string> serialize(const Model& model) { return to_text(write_model(model, nullptr)); }

Result<std::string> serialize_without_weights(const Model& model, size_t min_bytes) {
  ExternalLayout layout{"weights-in-memory", {}};
  for (const Constant& constant : model.graph.initializers) {
    if (constant.data.size() >= min_bytes) layout.offsets[&constant] = 0;
  }
  return to_text(write_model(model, &layout));
}

Result<void> save(Env& env, const Model& model, const std::string& path,
                  const std::string& external_data) {
  if (!external_data.empty()) return save_with_data(env, model, path, external_data);
  const Rope rope = write_model(model, nullptr);
  if (rope.size() > kMaxFileBytes) {
    return save_with_data(env, model, path, file_name(path) + ".data");
  }
  auto file = WATTWISE_TRY(AtomicFile::create(env, path));
  WATTWISE_TRY(append_rope(rope, file));
  return file.commit();
}

}  // namespace wattwise::model
