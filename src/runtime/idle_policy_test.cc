// SPDX-License-Identifier: Apache-2.0
#include "runtime/idle_policy.h"

#include <gtest/gtest.h>

namespace wattwise::runtime {
namespace {

const std::vector<LoadedModel> kThree = {
    {"old", 100, 40'000'000}, {"middle", 500, 30'000'000}, {"new", 900, 20'000'000}};

MemoryOptimizationConfig config_with(double idle_timeout_seconds, bool unload_unused = true) {
  MemoryOptimizationConfig config;
  config.idle_timeout_seconds = idle_timeout_seconds;
  config.unload_unused_models = unload_unused;
  return config;
}

std::vector<std::string> subjects(const std::vector<Decision>& decisions) {
  std::vector<std::string> out;
  for (const auto& decision : decisions) out.push_back(decision.subject);
  return out;
}

TEST(IdlePolicy, UnloadsOnlyWhatIsIdleForTooLong) {
  const auto config = config_with(300);
  EXPECT_EQ(subjects(decide_unloads(kThree, "", config, 900)),
            (std::vector<std::string>{"old", "middle"}));
  EXPECT_EQ(subjects(decide_unloads(kThree, "", config, 400)), std::vector<std::string>{});
}

TEST(IdlePolicy, NeverUnloadsTheModelInUse) {
  auto config = config_with(1);
  config.max_memory_mb = 1;
  EXPECT_EQ(subjects(decide_unloads(kThree, "old", config, 5000)),
            (std::vector<std::string>{"middle", "new"}));
}

TEST(IdlePolicy, MeetsTheMemoryLimitLongestIdleFirst) {
  auto config = config_with(300, false);
  config.max_memory_mb = 55;
  EXPECT_EQ(subjects(decide_unloads(kThree, "new", config, 1e9)), std::vector<std::string>{"old"});
}

TEST(IdlePolicy, MakesRoomForTheNextModelLongestIdleFirst) {
  MemoryOptimizationConfig config;
  const LoadedModel next{"next", 0, 25'000'000};
  EXPECT_TRUE(decide_room(kThree, next, config)->empty()) << "there is no limit";
  config.max_memory_mb = 80;
  EXPECT_EQ(subjects(*decide_room(kThree, next, config)), std::vector<std::string>{"old"});
  config.max_memory_mb = 30;
  EXPECT_EQ(decide_room(kThree, next, config)->size(), 3U);
  EXPECT_TRUE(decide_room({{"next", 0, 25'000'000}}, next, config)->empty()) << "it is reloaded";
}

TEST(IdlePolicy, AModelThatDoesNotFitAloneUnloadsNothing) {
  MemoryOptimizationConfig config;
  config.max_memory_mb = 20;
  const auto refused = decide_room(kThree, {"next", 0, 25'000'000}, config);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kExhausted);
  EXPECT_NE(refused.error().message().find("25.0 MB"), std::string::npos);
  EXPECT_NE(refused.error().message().find("20.0 MB"), std::string::npos);
}

TEST(IdlePolicy, SaysWhy) {
  const auto decisions = decide_unloads({{"a", 0, 1}}, "", config_with(60), 90);
  ASSERT_EQ(decisions.size(), 1u);
  EXPECT_EQ(decisions[0].action, "unload");
  EXPECT_EQ(decisions[0].reason, "idle for 90 s, longer than 60 s");
}

}  // namespace
}  // namespace wattwise::runtime
