// SPDX-License-Identifier: Apache-2.0
#include "core/text.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/env.h"

namespace wattwise {
namespace {

using Names = std::vector<std::string>;

TEST(Text, CaseTrimSplitJoin) {
  EXPECT_EQ(to_lower("Power_SAVER"), "power_saver");
  EXPECT_EQ(to_upper("Power_saver"), "POWER_SAVER");
  EXPECT_TRUE(equals_ignoring_case("Android", "ANDROID"));
  EXPECT_FALSE(equals_ignoring_case("Android", "ANDROIDS"));
  EXPECT_EQ(trim(" \t a b \r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(split("a,,b,", ','), (Names{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), (Names{""}));
  EXPECT_EQ(join(Names{"a", "b"}, ", "), "a, b");
  EXPECT_EQ(join(Names{}, ", "), "");
}

TEST(Text, EditDistanceStopsAtItsLimit) {
  EXPECT_EQ(edit_distance("kitten", "sitting", 10), 3);
  EXPECT_EQ(edit_distance("", "abc", 10), 3);
  EXPECT_EQ(edit_distance("abc", "abc", 0), 0);
  EXPECT_EQ(edit_distance("kitten", "sitting", 2), 3) << "beyond the limit: limit + 1";
  EXPECT_EQ(edit_distance("a", "completely else", 2), 3);
}

TEST(Text, NearestNameIgnoresCaseAndKeepsItsDistance) {
  const Names known = {"dynamic", "weight_only", "int4"};
  EXPECT_EQ(nearest_name("Dynamc", known), "dynamic");
  EXPECT_EQ(nearest_name("weightonly", known), "weight_only");
  EXPECT_EQ(nearest_name("int8", known), "int4") << "one letter is always near";
  EXPECT_EQ(nearest_name("static", known), std::nullopt);
  EXPECT_EQ(nearest_name("dynamic", Names{}), std::nullopt);
}

TEST(Text, SuggestionNamesOneOrLists) {
  const Names known = {"BALANCED", "POWER_SAVER"};
  EXPECT_EQ(suggestion("balansed", known), " Did you mean \"BALANCED\"?");
  EXPECT_EQ(suggestion("x", known), " Known: BALANCED, POWER_SAVER.");
  EXPECT_EQ(suggestion("x", Names{}), "");
}

TEST(Text, BytesKeepThreeDigits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1 kB");
  EXPECT_EQ(format_bytes(1'234'567), "1.23 MB");
  EXPECT_EQ(format_bytes(999'499), "999 kB");
  EXPECT_EQ(format_bytes(999'500), "1 MB") << "no 1e+03 kB";
  EXPECT_EQ(format_bytes(90'900'000'000), "90.9 GB");
}

TEST(Text, TimestampsAreUtc) {
  EXPECT_EQ(format_timestamp(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_timestamp(1709210096.9), "2024-02-29T12:34:56Z");
}

TEST(Path, PartsAndJoining) {
  EXPECT_EQ(join_path("/a/", "b"), "/a/b");
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a", "/b"), "/b");
  EXPECT_EQ(join_path("", "b"), "b");
  EXPECT_EQ(parent_path("/a/b"), "/a");
  EXPECT_EQ(parent_path("/a"), "/");
  EXPECT_EQ(parent_path("a"), ".");
  EXPECT_EQ(file_name("/a/b.onnx"), "b.onnx");
  EXPECT_EQ(file_stem("/a.b/model.q.onnx"), "model.q");
  EXPECT_EQ(file_extension("/a.b/model"), "");
  EXPECT_EQ(file_extension("model.q.onnx"), ".onnx");
  EXPECT_EQ(file_stem(".hidden"), ".hidden");
}

TEST(Text, DecibelsOfNoErrorAreNoNumber) {
  EXPECT_EQ(format_decibels(34.06), "34.1 dB");
  EXPECT_EQ(format_decibels(std::numeric_limits<double>::infinity()), "exact");
  EXPECT_EQ(format_decibels(-std::numeric_limits<double>::infinity()), "all error");
  EXPECT_EQ(format_decibels(-std::numeric_limits<double>::quiet_NaN()), "not measurable");
}

}  // namespace
}  // namespace wattwise
