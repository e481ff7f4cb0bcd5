// SPDX-License-Identifier: Apache-2.0
#include "model/quote.h"

namespace wattwise::model {
namespace {

constexpr size_t kMaxBytes = 80;

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

/// True for the second and later bytes of a UTF-8 character.
bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

}  // namespace

std::string quoted(std::string_view name) {
  size_t count = name.size();
  if (count > kMaxBytes) {
    for (count = kMaxBytes; count > 0 && continues_character(name[count]);) --count;
  }
  std::string out = "\"";
  for (const char c : name.substr(0, count)) out += is_control(c) ? '?' : c;
  return out + (count < name.size() ? "...\"" : "\"");
}

}  // namespace wattwise::model
