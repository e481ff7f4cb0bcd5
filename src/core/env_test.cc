// SPDX-License-Identifier: Apache-2.0
#include "core/env.h"

#include <gtest/gtest.h>

#include "core/failing_env.h"
#include "core/memory_env.h"

namespace wattwise {
namespace {

using Names = std::vector<std::string>;

enum class Kind { kSystem, kMemory, kPassingOn };

/// One folder of each Env: what the fake surroundings promise is what the system does.
class EnvContract : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override { folder_ = *env().make_temp_directory(); }
  void TearDown() override { ASSERT_TRUE(env().remove(folder_).has_value()); }

  Env& env() {
    if (GetParam() == Kind::kSystem) return system_env();
    if (GetParam() == Kind::kPassingOn) return passing_on_;
    return memory_;
  }
  std::string at(const std::string& name) const { return join_path(folder_, name); }
  Result<void> write(const std::string& name, std::string_view text) {
    auto file = WATTWISE_TRY(env().create_file(at(name)));
    WATTWISE_TRY(file->append(std::as_bytes(std::span<const char>(text))));
    WATTWISE_TRY(file->sync());
    return file->close();
  }
  std::string read(const std::string& name) {
    auto content = env().read_file(at(name));
    return content ? *content : "error: " + content.error().message();
  }
  template <typename T>
  static std::optional<ErrorCode> code_of(const Result<T>& result) {
    return result ? std::nullopt : std::optional(result.error().code());
  }

  MemoryEnv memory_;
  FailingEnv passing_on_{memory_, 0};
  std::string folder_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, EnvContract,
                         ::testing::Values(Kind::kSystem, Kind::kMemory, Kind::kPassingOn));

TEST_P(EnvContract, WritesTruncateAppendsDoNot) {
  ASSERT_TRUE(write("a", "a long text").has_value());
  ASSERT_TRUE(write("a", "short").has_value());
  EXPECT_EQ(read("a"), "short");
  for (const std::string_view more : {" and", " more"}) {
    auto file = env().append_file(at("a"));
    ASSERT_TRUE(file.has_value());
    ASSERT_TRUE((*file)->append(std::as_bytes(std::span<const char>(more))).has_value());
  }
  EXPECT_EQ(read("a"), "short and more");
  ASSERT_TRUE(env().append_file(at("b")).has_value());
  EXPECT_EQ(read("b"), "") << "appending creates";
}

TEST_P(EnvContract, MappedAndReadBytesAreTheSame) {
  ASSERT_TRUE(write("a", std::string("x\0y", 3)).has_value());
  const auto mapped = env().map_file(at("a"));
  ASSERT_TRUE(mapped.has_value());
  env().release_pages(*mapped);
  EXPECT_EQ(mapped->as_text(), read("a"));
  ASSERT_TRUE(write("empty", "").has_value());
  EXPECT_TRUE(env().map_file(at("empty"))->empty());
}

TEST_P(EnvContract, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(code_of(env().read_file(at("no"))), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(env().map_file(at("no"))), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(env().list_directory(at("no"))), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(env().canonical_path(at("no"))), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(env().create_file(at("no/a"))), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(env().append_file(at("no/a"))), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(env().rename(at("no"), at("a"))), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(env().sync_directory(at("no"))), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(env().lock_file(at("no/lock"), Seconds(0))), ErrorCode::kNotFound);
  EXPECT_FALSE(env().stat(at("no")).has_value());
  EXPECT_TRUE(env().remove(at("no")).has_value()) << "removing nothing is fine";
}

TEST_P(EnvContract, FoldersAreNoFiles) {
  ASSERT_TRUE(env().create_directories(at("d/e")).has_value());
  EXPECT_EQ(code_of(env().read_file(at("d"))), ErrorCode::kIo);
  EXPECT_EQ(code_of(env().map_file(at("d"))), ErrorCode::kIo);
  EXPECT_EQ(code_of(env().create_file(at("d"))), ErrorCode::kIo);
  EXPECT_TRUE(env().stat(at("d/e"))->is_directory);
  ASSERT_TRUE(write("f", "text").has_value());
  EXPECT_FALSE(env().stat(at("f"))->is_directory);
  EXPECT_EQ(env().stat(at("f"))->size_bytes, 4u);
  EXPECT_FALSE(env().create_directories(at("f/g")).has_value());
  EXPECT_FALSE(env().list_directory(at("f")).has_value());
}

TEST_P(EnvContract, ListsNamesInOrder) {
  ASSERT_TRUE(env().create_directories(at("d/inner")).has_value());
  ASSERT_TRUE(write("d/z", "").has_value());
  ASSERT_TRUE(write("d/.a", "").has_value());
  ASSERT_TRUE(write("d/inner/deep", "").has_value());
  EXPECT_EQ(*env().list_directory(at("d")), (Names{".a", "inner", "z"}));
  EXPECT_EQ(*env().list_directory(at("d/")), (Names{".a", "inner", "z"}));
  EXPECT_TRUE(env().stat(at("d/"))->is_directory);
  ASSERT_TRUE(env().create_directories(at("d/inner")).has_value()) << "there already: fine";
}

TEST_P(EnvContract, RenamingReplacesAFileOnly) {
  ASSERT_TRUE(write("new", "new").has_value());
  ASSERT_TRUE(write("old", "old").has_value());
  ASSERT_TRUE(env().rename(at("new"), at("old")).has_value());
  EXPECT_EQ(read("old"), "new");
  EXPECT_FALSE(env().stat(at("new")).has_value());
  ASSERT_TRUE(env().create_directories(at("d")).has_value());
  EXPECT_EQ(code_of(env().rename(at("old"), at("d"))), ErrorCode::kIo);
  EXPECT_EQ(code_of(env().rename(at("old"), at("no/old"))), ErrorCode::kNotFound);
  EXPECT_EQ(read("old"), "new") << "a refused move changes nothing";
}

TEST_P(EnvContract, RenamingMovesAWholeFolderWhereNoneWithContentIs) {
  ASSERT_TRUE(env().create_directories(at("from/inner")).has_value());
  ASSERT_TRUE(write("from/inner/a", "a").has_value());
  ASSERT_TRUE(env().rename(at("from"), at("to")).has_value());
  EXPECT_EQ(read("to/inner/a"), "a");
  EXPECT_FALSE(env().stat(at("from")).has_value());
  ASSERT_TRUE(env().create_directories(at("full")).has_value());
  ASSERT_TRUE(write("full/b", "b").has_value());
  EXPECT_EQ(code_of(env().rename(at("to"), at("full"))), ErrorCode::kIo);
  EXPECT_EQ(*env().list_directory(at("full")), (Names{"b"}));
  EXPECT_EQ(read("to/inner/a"), "a");
}

TEST_P(EnvContract, RemovingTakesTheTreeAndNothingBeside) {
  ASSERT_TRUE(env().create_directories(at("d/e")).has_value());
  ASSERT_TRUE(write("d/e/f", "x").has_value());
  ASSERT_TRUE(write("dx", "stays").has_value());
  ASSERT_TRUE(env().remove(at("d")).has_value());
  EXPECT_EQ(*env().list_directory(folder_), (Names{"dx"}));
  ASSERT_TRUE(env().remove(at("dx")).has_value());
  EXPECT_TRUE(env().list_directory(folder_)->empty());
}

TEST_P(EnvContract, ALockIsHeldByOneAndMakesItsFile) {
  {
    const auto held = env().lock_file(at("lock"), Seconds(0));
    ASSERT_TRUE(held.has_value());
    EXPECT_TRUE(env().stat(at("lock")).has_value());
    EXPECT_EQ(code_of(env().lock_file(at("lock"), Seconds(0))), ErrorCode::kUnavailable);
  }
  EXPECT_TRUE(env().lock_file(at("lock"), Seconds(0)).has_value()) << "free again";
}

TEST_P(EnvContract, TemporaryFoldersDiffer) {
  const auto other = env().make_temp_directory();
  ASSERT_TRUE(other.has_value());
  EXPECT_NE(*other, folder_);
  EXPECT_TRUE(env().list_directory(*other)->empty());
  EXPECT_TRUE(env().remove(*other).has_value());
}

TEST_P(EnvContract, ClocksDoNotGoBack) {
  const Seconds before = env().monotonic_now();
  const Seconds cpu = env().process_cpu_now();
  EXPECT_GE(env().monotonic_now(), before);
  EXPECT_GE(env().process_cpu_now(), cpu);
  EXPECT_GT(env().process_id(), 0);
  EXPECT_EQ(env().variable("WATTWISE_NO_SUCH_VARIABLE"), std::nullopt);
}

TEST(MemoryEnv, TimeMovesOnlyWhenItIsMoved) {
  MemoryEnv env;
  const Seconds start = env.monotonic_now();
  EXPECT_EQ(env.monotonic_now(), start);
  env.tick(Seconds(2));
  env.sleep_for(Seconds(3));
  EXPECT_EQ((env.monotonic_now() - start).count(), 5);
}

TEST(MemoryEnv, AnUnreadableFileIsThereButRefuses) {
  MemoryEnv env;
  env.put_unreadable_file("/sys/energy");
  EXPECT_TRUE(env.stat("/sys/energy").has_value());
  EXPECT_EQ(env.read_file("/sys/energy").error().code(), ErrorCode::kIo);
}

TEST(FailingEnv, FailsExactlyOnce) {
  MemoryEnv memory;
  FailingEnv env(memory, 2);
  EXPECT_TRUE(env.create_directories("/a").has_value());
  const auto failed = env.create_directories("/b");
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code(), ErrorCode::kIo);
  EXPECT_FALSE(memory.stat("/b").has_value()) << "the call did not reach the base";
  EXPECT_TRUE(env.create_directories("/b").has_value());
  EXPECT_EQ(env.calls(), 3);
}

}  // namespace
}  // namespace wattwise
