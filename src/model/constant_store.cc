// SPDX-License-Identifier: Apache-2.0
#include "model/constant_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

namespace wattwise::model {
namespace {

constexpr size_t kPieceBytes = size_t{16} << 20;

Bytes part_of(std::span<const std::byte> bytes) { return {nullptr, bytes}; }

}  // namespace

Bytes ConstantStore::keep(std::span<const std::byte> bytes) {
  if (bytes.size() >= kMinKeptBytes && status_) {
    auto kept = write(bytes);
    if (kept) {
      env_.release_pages(*kept);
      mapped_.push_back(*kept);
      return *std::move(kept);
    }
    status_ = std::move(kept).error().with_context("keeping constants outside of memory");
  }
  return Bytes::copy_of(bytes);
}

Result<Bytes> ConstantStore::write(std::span<const std::byte> bytes) {
  static std::atomic<uint64_t> counter{0};  // distinguishes the files of all stores of a process
  const std::string path =
      join_path(folder_, fmt::format("constant-{}-{}", env_.process_id(), counter++));
  auto file = WATTWISE_TRY(env_.create_file(path));
  auto written = file->append(bytes);
  if (written) written = file->close();
  Result<Bytes> mapped = written ? env_.map_file(path) : Result<Bytes>(std::move(written).error());
  WATTWISE_TRY(env_.remove(path));
  return mapped;
}

void ConstantStore::release(std::span<const std::byte> bytes) const {
  const auto* begin = bytes.data();
  for (const Bytes& file : mapped_) {
    const auto* first = std::max(begin, file.data());
    const auto* last = std::min(begin + bytes.size(), file.data() + file.size());
    if (first < last) env_.release_pages(part_of({first, last}));
  }
}

void ConstantStore::release_all() const {
  for (const Bytes& file : mapped_) env_.release_pages(file);
}

std::shared_ptr<ConstantStore> ConstantStore::fork() const {
  auto made = std::make_shared<ConstantStore>(env_, folder_);
  made->mapped_ = mapped_;
  return made;
}

Result<void> visit_released(std::span<const std::byte> bytes, const ConstantStore* store,
                            const std::function<Result<void>(std::span<const std::byte>)>& visit) {
  const size_t step = store ? kPieceBytes : std::max<size_t>(bytes.size(), 1);
  for (size_t at = 0; at < bytes.size(); at += step) {
    const auto piece = bytes.subspan(at, std::min(step, bytes.size() - at));
    WATTWISE_TRY(visit(piece));
    if (store) store->release(piece);
  }
  return {};
}

}  // namespace wattwise::model
