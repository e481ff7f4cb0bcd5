// SPDX-License-Identifier: Apache-2.0
#include "model/constant_store.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/failing_env.h"
#include "core/memory_env.h"

namespace wattwise::model {
namespace {

std::vector<std::byte> pattern(size_t size) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 251);
  return bytes;
}

bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

class ConstantStoreTest : public testing::Test {
 protected:
  void SetUp() override { folder_ = *system_env().make_temp_directory(); }
  void TearDown() override { ASSERT_TRUE(system_env().remove(folder_)); }
  std::string folder_;
};

TEST_F(ConstantStoreTest, KeepsBytesThatCanBeReadAgainAfterTheirPagesWent) {
  ConstantStore store(system_env(), folder_);
  const auto large = pattern(ConstantStore::kMinKeptBytes + 5);
  const auto small = pattern(100);
  const Bytes kept_large = store.keep(large);
  const Bytes kept_small = store.keep(small);
  EXPECT_TRUE(system_env().list_directory(folder_)->empty()) << "the file has no name any more";
  store.release(kept_large.view());
  store.release(kept_small.view());  // in memory: must stay as it is
  store.release_all();
  EXPECT_TRUE(same(kept_large.view(), large));
  EXPECT_TRUE(same(kept_small.view(), small));
  EXPECT_TRUE(store.status().has_value());
}

TEST_F(ConstantStoreTest, AForkKeepsReleasingAndOutlivesTheFirst) {
  auto store = std::make_shared<ConstantStore>(system_env(), folder_);
  const auto bytes = pattern(ConstantStore::kMinKeptBytes);
  const Bytes kept = store->keep(bytes);
  const auto fork = store->fork();
  const Bytes second = fork->keep(bytes);
  store.reset();
  fork->release_all();
  EXPECT_TRUE(same(kept.view(), bytes));
  EXPECT_TRUE(same(second.view(), bytes));
}

TEST(ConstantStore, AFullDiskShowsAndLeavesNothing) {
  const auto bytes = pattern(ConstantStore::kMinKeptBytes);
  for (int n = 1; n <= 3; ++n) {  // create, write, close
    MemoryEnv memory;
    ASSERT_TRUE(memory.create_directories("/s"));
    FailingEnv env(memory, n);
    ConstantStore store(env, "/s");
    EXPECT_TRUE(same(store.keep(bytes).view(), bytes)) << "still readable";
    ASSERT_FALSE(store.status().has_value()) << n;
    EXPECT_EQ(store.status().error().code(), ErrorCode::kIo);
    EXPECT_TRUE(memory.list_directory("/s")->empty()) << n;
  }
}

TEST_F(ConstantStoreTest, VisitsEveryByteOnceInOrder) {
  ConstantStore store(system_env(), folder_);
  const auto bytes = pattern((size_t{33} << 20) + 3);
  const Bytes kept = store.keep(bytes);
  for (const ConstantStore* with :
       {static_cast<const ConstantStore*>(nullptr), static_cast<const ConstantStore*>(&store)}) {
    std::vector<std::byte> seen;
    int pieces = 0;
    ASSERT_TRUE(visit_released(kept.view(), with, [&](auto piece) -> Result<void> {
      seen.insert(seen.end(), piece.begin(), piece.end());
      ++pieces;
      return {};
    }));
    EXPECT_TRUE(seen == bytes);
    EXPECT_EQ(pieces, with ? 3 : 1);
  }
}

}  // namespace
}  // namespace wattwise::model
