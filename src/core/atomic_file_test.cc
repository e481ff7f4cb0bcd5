// SPDX-License-Identifier: Apache-2.0
#include "core/atomic_file.h"

#include <gtest/gtest.h>

#include "core/failing_env.h"
#include "core/memory_env.h"

namespace wattwise {
namespace {

constexpr const char* kFolder = "/data/deep";
constexpr const char* kPath = "/data/deep/file.txt";

std::vector<std::string> names_in(const Env& env, const std::string& folder) {
  auto names = env.list_directory(folder);
  return names ? *names : std::vector<std::string>();
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span<const char>(text));
}

/// How many calls that change something a write needs.
int count_calls(bool with_older) {
  MemoryEnv memory;
  if (with_older) memory.put_file(kPath, "old");
  FailingEnv counting(memory, 0);
  EXPECT_TRUE(write_file_atomically(counting, kPath, "new").has_value());
  return counting.calls();
}

TEST(AtomicFile, CreatesItsFoldersAndReplacesWhatWasThere) {
  MemoryEnv env;
  ASSERT_TRUE(write_file_atomically(env, kPath, "first").has_value());
  EXPECT_EQ(*env.read_file(kPath), "first");
  ASSERT_TRUE(write_file_atomically(env, kPath, "second").has_value());
  EXPECT_EQ(*env.read_file(kPath), "second");
  EXPECT_EQ(names_in(env, kFolder), (std::vector<std::string>{"file.txt"}));
}

TEST(AtomicFile, AFailureBeforeTheRenameLeavesNothingNew) {
  const int calls = count_calls(false);
  ASSERT_GE(calls, 6) << "folder, create, write, sync, close, rename, sync of the folder";
  for (int n = 1; n < calls; ++n) {
    MemoryEnv memory;
    FailingEnv env(memory, n);
    const auto written = write_file_atomically(env, kPath, "new");
    ASSERT_FALSE(written.has_value()) << "call " << n;
    EXPECT_EQ(written.error().code(), ErrorCode::kIo);
    EXPECT_TRUE(names_in(memory, kFolder).empty()) << "call " << n;
  }
}

TEST(AtomicFile, AFailureBeforeTheRenameKeepsTheOlderFile) {
  const int calls = count_calls(true);
  for (int n = 1; n < calls; ++n) {
    MemoryEnv memory;
    memory.put_file(kPath, "old");
    FailingEnv env(memory, n);
    ASSERT_FALSE(write_file_atomically(env, kPath, "new").has_value()) << "call " << n;
    EXPECT_EQ(*memory.read_file(kPath), "old") << "call " << n;
    EXPECT_EQ(names_in(memory, kFolder).size(), 1u) << "call " << n;
  }
}

TEST(AtomicFile, AFailureAfterTheRenameIsToldAndTheNewFileIsWhole) {
  MemoryEnv memory;
  memory.put_file(kPath, "old");
  FailingEnv env(memory, count_calls(true));
  const auto written = write_file_atomically(env, kPath, "new");
  ASSERT_FALSE(written.has_value());
  EXPECT_NE(written.error().message().find("sync"), std::string::npos);
  EXPECT_EQ(*memory.read_file(kPath), "new");
  EXPECT_EQ(names_in(memory, kFolder).size(), 1u);
}

TEST(AtomicFile, WithoutCommitNothingStays) {
  MemoryEnv env;
  {
    auto file = AtomicFile::create(env, kPath);
    ASSERT_TRUE(file.has_value());
    ASSERT_TRUE(file->append(bytes_of("half")).has_value());
    EXPECT_EQ(names_in(env, kFolder).size(), 1u);
    const AtomicFile moved(std::move(*file));
    EXPECT_FALSE(env.stat(kPath).has_value());
  }
  EXPECT_TRUE(names_in(env, kFolder).empty());
}

TEST(AtomicFile, FlushedBytesCanBeReadUnderTheTemporaryName) {
  MemoryEnv env;
  auto file = AtomicFile::create(env, kPath);
  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE(file->append(bytes_of("one ")).has_value());
  ASSERT_TRUE(file->append(bytes_of("two")).has_value());
  ASSERT_TRUE(file->flush().has_value());
  EXPECT_EQ(*env.read_file(file->temporary_path()), "one two");
  EXPECT_FALSE(env.stat(kPath).has_value());
  ASSERT_TRUE(file->commit().has_value());
  EXPECT_EQ(*env.read_file(kPath), "one two");
  EXPECT_FALSE(env.stat(file->temporary_path()).has_value());
}

TEST(AtomicFile, TwoOfOneNameDoNotMeet) {
  MemoryEnv env;
  auto first = AtomicFile::create(env, kPath);
  auto second = AtomicFile::create(env, kPath);
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_NE(first->temporary_path(), second->temporary_path());
  ASSERT_TRUE(first->append(bytes_of("first")).has_value());
  ASSERT_TRUE(second->append(bytes_of("second")).has_value());
  ASSERT_TRUE(second->commit().has_value());
  ASSERT_TRUE(first->commit().has_value());
  EXPECT_EQ(*env.read_file(kPath), "first") << "the last commit wins";
}

}  // namespace
}  // namespace wattwise
