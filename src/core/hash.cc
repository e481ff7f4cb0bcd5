// SPDX-License-Identifier: Apache-2.0
#include "core/hash.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace wattwise {

struct Hash::State {
  alignas(64) XXH3_state_t xxh3;
};

Hash::Hash() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh3); }
Hash::Hash(Hash&&) noexcept = default;
Hash& Hash::operator=(Hash&&) noexcept = default;
Hash::~Hash() = default;

void Hash::add(std::span<const std::byte> bytes) {
  XXH3_128bits_update(&state_->xxh3, bytes.data(), bytes.size());
}

void Hash::add_field(std::string_view name, std::string_view value) {
  const std::string head = fmt::format("{}:{}:{}:", name.size(), name, value.size());
  add(std::as_bytes(std::span<const char>(head)));
  add(std::as_bytes(std::span<const char>(value)));
}

std::string Hash::digits() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->xxh3);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string hash_of(std::string_view text) {
  Hash hash;
  hash.add(std::as_bytes(std::span<const char>(text)));
  return hash.digits();
}

}  // namespace wattwise
