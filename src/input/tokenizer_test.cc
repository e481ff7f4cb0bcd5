// SPDX-License-Identifier: Apache-2.0
#include "input/tokenizer.h"

#include <gtest/gtest.h>

#include <thread>

#include "core/memory_env.h"
#include "input/test_fixtures.h"

namespace wattwise::input {
namespace {

using Ids = std::vector<int64_t>;

TEST(TokenizerTest, MissingFilesAreNotFound) {
  const MemoryEnv env;
  const auto tokenizer = load_tokenizer_lazily(env, "/m/tokenizer.json");
  EXPECT_CONTAINS(failure(tokenizer, ErrorCode::kNotFound), "/m/tokenizer.json");
}

#if !WATTWISE_HAVE_TOKENIZER

TEST(TokenizerTest, SaysThatTheBuildHasNone) {
  const auto tokenizer = load_tokenizer(system_env(), fixture("tokenizer.json"));
  EXPECT_CONTAINS(failure(tokenizer, ErrorCode::kUnsupported), "cargo");
}

TEST(TokenizerTest, ALazyOneSaysSoWithTheFirstText) {
  const auto tokenizer = load_tokenizer_lazily(system_env(), fixture("tokenizer.json"));
  ASSERT_TRUE(tokenizer);
  const auto tokens = (*tokenizer)->encode("fox", 0);
  EXPECT_CONTAINS(failure(tokens, ErrorCode::kUnsupported), "pass token ids as arrays");
}

#else

std::shared_ptr<const Tokenizer> load() {
  return load_tokenizer(system_env(), fixture("tokenizer.json")).value();
}

Ids ids_of(std::string_view text, int64_t limit = 0) {
  return load()->encode(text, limit).value().ids;
}

// Expected ids: what tests/fixtures/input/make_fixtures.py prints, from the Python package.
TEST(TokenizerTest, IdsEqualPythons) {
  EXPECT_EQ(ids_of(""), (Ids{2, 3}));
  EXPECT_EQ(ids_of("the quick fox"), (Ids{2, 5, 6, 7, 3}));
  EXPECT_EQ(ids_of("The QUICK fox jumped over the lazy dogs!"),
            (Ids{2, 5, 6, 7, 8, 9, 11, 5, 12, 13, 10, 3}));
  EXPECT_EQ(ids_of("Caf\u00e9, powersaver."), (Ids{2, 17, 18, 15, 24, 25, 26, 14, 3}));
  EXPECT_EQ(ids_of("unseen words 12 \u65e5\u672c"), (Ids{2, 1, 1, 22, 23, 1, 1, 3}));
}

TEST(TokenizerTest, IdsOfARealVocabularyEqualPythons) {
  const Env& env = system_env();
  const auto cache = env.variable("XDG_CACHE_HOME");
  const std::string home = cache ? *cache : env.variable("HOME").value_or("") + "/.cache";
  const std::string path = home + "/wattwise/models/minilm/tokenizer.json";
  if (!env.stat(path)) GTEST_SKIP() << "./setup models fetches " << path;
  const auto tokenizer = load_tokenizer(env, path);
  ASSERT_TRUE(tokenizer) << tokenizer.error().to_string();
  const auto ids = [&](std::string_view text) { return (*tokenizer)->encode(text, 0).value().ids; };
  EXPECT_EQ(ids("Sample input text"), (Ids{101, 7099, 7953, 3793, 102}));
  EXPECT_EQ(ids("\u6771\u4eac tokenization \U0001f642"),
            (Ids{101, 1879, 1755, 19204, 3989, 100, 102}));
}

TEST(TokenizerTest, TruncatesAsTheFileSaysAndKeepsTheEndMark) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "the ";
  const TokenIds tokens = load()->encode(text, 0).value();
  EXPECT_EQ(tokens.ids, (Ids{2, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 3}));
  EXPECT_TRUE(tokens.truncated);
  EXPECT_EQ(tokens.attention_mask, Ids(12, 1));
  EXPECT_EQ(tokens.type_ids, Ids(12, 0));
}

TEST(TokenizerTest, ALowerLimitWins) {
  EXPECT_EQ(ids_of("the quick fox", 4), (Ids{2, 5, 6, 3}));
  EXPECT_EQ(ids_of("the quick fox", 1000), (Ids{2, 5, 6, 7, 3}));
  EXPECT_FALSE(load()->encode("the quick fox", 5).value().truncated);
}

TEST(TokenizerTest, KnowsHowToPadAndDoesNotPadSingleTexts) {
  const Padding padding = load()->padding().value();
  EXPECT_EQ(padding.id, 0);
  EXPECT_FALSE(padding.left);
  EXPECT_EQ(ids_of("fox").size(), 3U);
}

TEST(TokenizerTest, RefusesWhatIsNotUtf8) {
  const auto tokens = load()->encode("fox \xff\xfe", 0);
  EXPECT_CONTAINS(failure(tokens, ErrorCode::kInvalidArgument), "not UTF-8 from byte 4");
}

TEST(TokenizerTest, RefusesDamagedFilesWithTheFirstText) {
  MemoryEnv env;
  for (const std::string content : {"", "{", "{}", "[1]", "\xff"}) {
    env.put_file("/tokenizer.json", content);
    const auto tokenizer = load_tokenizer(env, "/tokenizer.json");
    EXPECT_CONTAINS(failure(tokenizer, ErrorCode::kCorrupt), "/tokenizer.json");
    const auto lazy = load_tokenizer_lazily(env, "/tokenizer.json");
    ASSERT_TRUE(lazy);
    failure((*lazy)->encode("fox", 0), ErrorCode::kCorrupt);
    failure((*lazy)->padding(), ErrorCode::kCorrupt);
  }
}

TEST(TokenizerTest, ServesSeveralThreads) {
  const auto tokenizer = load_tokenizer_lazily(system_env(), fixture("tokenizer.json")).value();
  std::vector<Ids> results(4);
  std::vector<std::thread> threads;
  for (Ids& result : results) {
    threads.emplace_back([&tokenizer, &result] {
      for (int i = 0; i < 50; ++i) result = tokenizer->encode("the quick fox", 0).value().ids;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) EXPECT_EQ(result, (Ids{2, 5, 6, 7, 3}));
}

#endif

}  // namespace
}  // namespace wattwise::input
