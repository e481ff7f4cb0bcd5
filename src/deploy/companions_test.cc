// SPDX-License-Identifier: Apache-2.0
#include "deploy/companions.h"

#include <gtest/gtest.h>

#include "core/atomic_file.h"
#include "core/memory_env.h"

namespace wattwise::deploy {
namespace {

constexpr const char* kInput = "/in/word-small.onnx";
constexpr const char* kConfig = R"({"model_max_length": 128})";

/// Publishes an output with its companions.
Result<void> publish(Env& env, const std::string& output) {
  auto staging = WATTWISE_TRY(Staging::create(env, output));
  WATTWISE_TRY(stage_companions(env, kInput, output, staging));
  WATTWISE_TRY(write_file_atomically(env, staging.path(file_name(output)), "model"));
  return staging.publish();
}

class Companions : public ::testing::Test {
 protected:
  Companions() {
    env_.put_file(kInput, "model");
    env_.put_file("/in/word-tokenizer_config.json", kConfig);
    env_.put_file("/in/config.json", "{}");
    env_.put_file("/in/notes.json", "{}");
  }
  MemoryEnv env_;
};

TEST_F(Companions, FollowTheModelToAnotherFolderUnderPlainNames) {
  ASSERT_TRUE(publish(env_, "/out/other.onnx").has_value());
  EXPECT_EQ(*env_.list_directory("/out"),
            (std::vector<std::string>{"config.json", "other.onnx", "tokenizer_config.json"}));
  EXPECT_EQ(*env_.read_file("/out/tokenizer_config.json"), kConfig);
}

TEST_F(Companions, WhatIsThereStays) {
  env_.put_file("/out/tokenizer_config.json", R"({"model_max_length": 5})");
  ASSERT_TRUE(publish(env_, "/out/other.onnx").has_value());
  EXPECT_EQ(*env_.read_file("/out/tokenizer_config.json"), R"({"model_max_length": 5})");
  EXPECT_TRUE(env_.stat("/out/config.json").has_value());
}

TEST_F(Companions, BesideTheModelNothingIsCopied) {
  ASSERT_TRUE(publish(env_, "/in/word-small_balanced.onnx").has_value());
  EXPECT_FALSE(env_.stat("/in/tokenizer_config.json").has_value());
}

}  // namespace
}  // namespace wattwise::deploy
