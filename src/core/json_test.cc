// SPDX-License-Identifier: Apache-2.0
#include "core/json.h"

#include <gtest/gtest.h>

namespace wattwise {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::string failure(std::string_view text) {
  const auto parsed = parse_json(text, "some.json");
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(parsed.error().to_string().find('\n'), std::string::npos);
  EXPECT_NE(parsed.error().message().find("some.json"), std::string::npos);
  return parsed.error().message();
}

TEST(ParseJson, KeepsTheOrderOfKeys) {
  const auto parsed = parse_json(R"({"z": 1, "a": [true, null]})", "x");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(write_json(*parsed), R"({"z":1,"a":[true,null]})");
}

TEST(ParseJson, AnErrorNamesLineAndColumn) {
  EXPECT_NE(failure("{\n  \"a\": 1,\n  oops\n}").find("line 3, column 3"), std::string::npos)
      << failure("{\n  \"a\": 1,\n  oops\n}");
  EXPECT_NE(failure("").find("line 1, column 1"), std::string::npos) << failure("");
  EXPECT_NE(failure("x").find("line 1, column 1"), std::string::npos) << failure("x");
  EXPECT_NE(failure("{\"a\": 1").find("line 1, column 8"), std::string::npos)
      << failure("{\"a\": 1");
}

TEST(ParseJson, RefusesWhatIsNoDocument) {
  EXPECT_NE(failure("[1e999]"), "accepted");
  EXPECT_NE(failure("[1] 2"), "accepted");
  EXPECT_NE(failure("\"\xFF\""), "accepted");
  EXPECT_NE(failure("NaN"), "accepted");
}

TEST(ParseJson, RefusesDepthThatWouldExhaustTheStack) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse_json(nested(200), "x").has_value());
  EXPECT_NE(failure(nested(201)).find("nested deeper than 200"), std::string::npos);
  EXPECT_NE(failure(std::string(5'000'000, '[')).find("nested deeper"), std::string::npos);
  const std::string brackets = "\"" + std::string(1000, '[') + "\\\"" + std::string(9, '{') + "\"";
  EXPECT_TRUE(parse_json(brackets, "x").has_value()) << "brackets in a text do not nest";
}

TEST(WriteJson, IndentsOnlyWhenAsked) {
  const Json value = {{"a", 1}, {"b", {1, 2}}};
  EXPECT_EQ(write_json(value), R"({"a":1,"b":[1,2]})");
  EXPECT_EQ(write_json(value, 2), "{\n  \"a\": 1,\n  \"b\": [\n    1,\n    2\n  ]\n}");
}

TEST(WriteJson, ForeignBytesBecomeReplacementCharacters) {
  const Json value = {{"na\xFFme", "caf\xE9"}, {"ok", "caf\xC3\xA9"}};
  const std::string text = write_json(value);
  EXPECT_EQ(text, std::string("{\"na") + kReplacement + "me\":\"caf" + kReplacement +
                      "\",\"ok\":\"caf\xC3\xA9\"}");
  EXPECT_TRUE(parse_json(text, "what was written").has_value());
}

TEST(ValidUtf8, ChangesOnlyWhatIsBroken) {
  for (const std::string_view good : {"", "plain", "caf\xC3\xA9", "\xF0\x9F\x94\x8B \"q\" \\ \n"}) {
    EXPECT_EQ(valid_utf8(good), good);
  }
  EXPECT_EQ(valid_utf8("a\xFF"
                       "b"),
            std::string("a") + kReplacement + "b");
  EXPECT_EQ(valid_utf8("cut \xF0\x9F\x94"), std::string("cut ") + kReplacement);
  const std::string_view zero("a\0b", 3);
  EXPECT_EQ(valid_utf8(zero), zero);
}

TEST(MergePatch, MergesMapsReplacesTheRestAndRemovesNulls) {
  Json target = {{"keep", 1}, {"map", {{"a", 1}, {"b", 2}}}, {"list", {1, 2}}, {"gone", 1}};
  merge_patch(target, {{"map", {{"b", 3}}}, {"list", {9}}, {"gone", nullptr}});
  EXPECT_EQ(write_json(target), R"({"keep":1,"map":{"a":1,"b":3},"list":[9]})");
}

TEST(Readable, SaysValuesAsPeopleDo) {
  EXPECT_EQ(readable(nullptr), "not available");
  EXPECT_EQ(readable(true), "yes");
  EXPECT_EQ(readable(1.0 / 3), "0.3333");
  EXPECT_EQ(readable(1234567), "1234567");
  EXPECT_EQ(readable(Json::array()), "none");
  EXPECT_EQ(readable({{"cpu", 41.5}, {"gpu", nullptr}}), "cpu 41.5, gpu not available");
  EXPECT_EQ(readable(Json::array({"a", "b"})), "a, b");
}

}  // namespace
}  // namespace wattwise
