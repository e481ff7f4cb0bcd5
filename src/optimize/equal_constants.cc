// SPDX-License-Identifier: Apache-2.0
#include "optimize/equal_constants.h"

#include <algorithm>

#include "model/constant_store.h"

namespace wattwise::optimize {
namespace {

/// Constants up to this size are read as a whole.
constexpr size_t kSmall = 256;
constexpr size_t kSample = 32;

size_t mixed(size_t seed, size_t value) {
  return (seed ^ value) * size_t{0x9E3779B97F4A7C15} + (seed >> 7);
}

bool is_equal(const Bytes& a, const Bytes& b, const model::ConstantStore* store) {
  if (a.size() != b.size() || a.data() == b.data()) return a.size() == b.size();
  constexpr size_t kPiece = size_t{16} << 20;
  for (size_t at = 0; at < a.size(); at += kPiece) {
    const size_t count = std::min(kPiece, a.size() - at);
    const bool same = a.as_text().substr(at, count) == b.as_text().substr(at, count);
    if (store && count == kPiece) {
      store->release(a.view().subspan(at, count));
      store->release(b.view().subspan(at, count));
    }
    if (!same) return false;
  }
  return true;
}

}  // namespace

std::unordered_set<std::string> port_names(const model::Graph& graph) {
  std::unordered_set<std::string> names;
  for (const model::Value& input : graph.inputs) names.insert(input.name);
  for (const model::Value& output : graph.outputs) names.insert(output.name);
  return names;
}

bool is_equal(const model::Constant& a, const model::Constant& b,
              const model::ConstantStore* store) {
  return a.type == b.type && a.shape == b.shape && a.strings == b.strings &&
         is_equal(a.data, b.data, store);
}

size_t fingerprint(const model::Constant& constant) {
  size_t seed = static_cast<size_t>(constant.type);
  for (const int64_t size : constant.shape) seed = mixed(seed, static_cast<size_t>(size));
  const std::hash<std::string_view> hash;
  const std::string_view bytes = constant.data.as_text();
  if (bytes.size() <= kSmall) return mixed(seed, hash(bytes));
  for (const size_t start : {size_t{0}, bytes.size() / 3, bytes.size() - kSample}) {
    seed = mixed(seed, hash(bytes.substr(start, kSample)));
  }
  return seed;
}

const model::Constant* ConstantSet::find_or_add(const model::Constant& constant) {
  const size_t key = fingerprint(constant);
  // A system that keeps files in large pages gives more than the few bytes that were read.
  if (store_) store_->release(constant.data.view());
  const auto [begin, end] = seen_.equal_range(key);
  const auto twin = std::find_if(
      begin, end, [&](const auto& entry) { return is_equal(*entry.second, constant, store_); });
  if (twin != end) return twin->second;
  seen_.emplace(key, &constant);
  return nullptr;
}

}  // namespace wattwise::optimize
