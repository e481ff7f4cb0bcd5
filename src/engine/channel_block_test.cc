// SPDX-License-Identifier: Apache-2.0
#include "engine/channel_block.h"

#include <gtest/gtest.h>

namespace wattwise::engine {
namespace {

TEST(ChannelBlock, IsWhatTheProcessorsVectorsHold) {
  const auto runtime = load_runtime(system_env(), {});
  ASSERT_TRUE(runtime.has_value()) << runtime.error().to_string();
  const int64_t block = cpu_channel_block(*runtime, system_env());
#if defined(__x86_64__)
  EXPECT_EQ(block, __builtin_cpu_supports("avx512f") ? 16 : 8);
#else
  EXPECT_TRUE(block == 0 || block == 16) << block;
#endif
}

}  // namespace
}  // namespace wattwise::engine
