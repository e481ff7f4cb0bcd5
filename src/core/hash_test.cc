// SPDX-License-Identifier: Apache-2.0
#include "core/hash.h"

#include <gtest/gtest.h>

#include <set>

namespace wattwise {
namespace {

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span<const char>(text));
}

TEST(Hash, IsThePublishedFunction) {
  EXPECT_EQ(hash_of(std::string_view()), "99aa06d3014798d86001c324468d497f");
}

TEST(Hash, PiecesDoNotMatter) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i);
  const std::string whole = hash_of(text);
  for (const size_t piece : {1u, 7u, 64u, 1000u, 100000u}) {
    Hash hash;
    for (size_t at = 0; at < text.size(); at += piece) {
      hash.add(bytes(std::string_view(text).substr(at, piece)));
    }
    EXPECT_EQ(hash.digits(), whole) << piece;
  }
}

TEST(Hash, FieldsCannotBeTakenForEachOther) {
  const auto of = [](std::string_view a, std::string_view x, std::string_view b,
                     std::string_view y) {
    Hash hash;
    hash.add_field(a, x);
    hash.add_field(b, y);
    return hash.digits();
  };
  const std::set<std::string> all = {of("a", "xb", "", "y"),   of("a", "x", "b", "y"),
                                     of("ax", "", "b", "y"),   of("b", "y", "a", "x"),
                                     of("a", "x1:b", "", "y"), of("a", "", "b", "xy")};
  EXPECT_EQ(all.size(), 6u);
}

TEST(Hash, EveryBitCounts) {
  std::string text(4097, 'x');
  std::set<std::string> all = {hash_of(text)};
  for (const size_t at : {0u, 63u, 64u, 2048u, 4096u}) {
    text[at] = 'y';
    all.insert(hash_of(text));
    text[at] = 'x';
  }
  EXPECT_EQ(all.size(), 6u);
}

}  // namespace
}  // namespace wattwise
