// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace wattwise {

/// A 128-bit fingerprint of bytes that are added piece by piece (XXH3, as fast as memory is read).
/// It tells contents apart that differ by accident; it does not withstand someone who builds two
/// contents of one fingerprint on purpose. Thread rule: one thread.
class Hash {
 public:
  Hash();
  Hash(Hash&&) noexcept;
  Hash& operator=(Hash&&) noexcept;
  ~Hash();

  /// Where one piece ends and the next begins does not matter.
  void add(std::span<const std::byte> bytes);
  /// With name and length, so that neighbouring fields cannot be taken for each other.
  void add_field(std::string_view name, std::string_view value);
  /// 32 hexadecimal digits for all that was added so far.
  std::string digits() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string hash_of(std::string_view text);

}  // namespace wattwise
