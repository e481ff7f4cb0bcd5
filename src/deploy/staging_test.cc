// SPDX-License-Identifier: Apache-2.0
#include "deploy/staging.h"

#include <gtest/gtest.h>

#include "core/atomic_file.h"
#include "core/failing_env.h"
#include "core/memory_env.h"

namespace wattwise::deploy {
namespace {

constexpr const char* kOutput = "/out/model.onnx";
using Names = std::vector<std::string>;

/// Makes a model and a bundle in a staging folder and moves them into place.
Result<void> publish(Env& env) {
  auto staging = WATTWISE_TRY(Staging::create(env, kOutput));
  WATTWISE_TRY(write_file_atomically(env, staging.path("model.onnx"), "new model"));
  WATTWISE_TRY(write_file_atomically(env, staging.path("bundle/manifest.json"), "new"));
  return staging.publish();
}

void put_older(MemoryEnv& env) {
  env.put_file(kOutput, "old model");
  env.put_file("/out/bundle/manifest.json", "old");
  env.put_file("/out/bundle/extra", "old");
  env.put_file("/out/beside.txt", "beside");
}

int count_calls(bool with_older) {
  MemoryEnv memory;
  if (with_older) put_older(memory);
  FailingEnv counter(memory, 0);
  EXPECT_TRUE(publish(counter).has_value());
  return counter.calls();
}

TEST(Staging, PreparationsOfOneOutputDoNotShareAFolder) {
  MemoryEnv env;
  auto first = Staging::create(env, kOutput);
  auto second = Staging::create(env, kOutput);
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_NE(first->path("x"), second->path("x"));
  ASSERT_TRUE(write_file_atomically(env, first->path("model.onnx"), "first").has_value());
  ASSERT_TRUE(write_file_atomically(env, second->path("model.onnx"), "second").has_value());
  ASSERT_TRUE(second->clear().has_value());
  ASSERT_TRUE(first->publish().has_value());
  EXPECT_EQ(*env.read_file(kOutput), "first");
}

TEST(Staging, WhatAKilledProcessLeftIsSweptAndWhatIsInUseIsNot) {
  MemoryEnv env;
  env.put_file("/out/.other.onnx.99-0.staging/weights", "half");
  env.put_file("/out/.other.onnx.99-0.staging.lock", "");
  env.put_file("/out/.other.onnx.99-1.staging/weights", "no lock was to be had");
  env.put_file("/out/staging.lock", "another's");
  const auto first = Staging::create(env, kOutput);
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(env.stat("/out/.other.onnx.99-0.staging/weights").has_value());
  EXPECT_FALSE(env.stat("/out/.other.onnx.99-0.staging.lock").has_value());
  EXPECT_TRUE(env.stat("/out/.other.onnx.99-1.staging/weights").has_value());
  EXPECT_TRUE(env.stat("/out/staging.lock").has_value());
  const auto second = Staging::create(env, kOutput);
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(env.stat(first->folder()).has_value());
}

TEST(Staging, ANameWhoseLockSomeoneSweepingHoldsIsNotTaken) {
  MemoryEnv env;
  const std::string first = Staging::create(env, kOutput)->folder();
  const size_t number = first.rfind('-') + 1;
  const std::string next =
      first.substr(0, number) + std::to_string(std::stoull(first.substr(number)) + 1) + ".staging";
  const auto held = env.lock_file(next + ".lock", Seconds(0));
  ASSERT_TRUE(held.has_value());
  const auto staging = Staging::create(env, kOutput);
  ASSERT_TRUE(staging.has_value());
  EXPECT_NE(staging->folder(), next);
  EXPECT_TRUE(env.stat(staging->folder()).has_value());
}

TEST(Staging, MovesEverythingInPlaceOfWhatWasThere) {
  MemoryEnv env;
  put_older(env);
  ASSERT_TRUE(publish(env).has_value());
  EXPECT_EQ(*env.read_file(kOutput), "new model");
  EXPECT_EQ(*env.list_directory("/out/bundle"), (Names{"manifest.json"}));
  EXPECT_EQ(*env.read_file("/out/bundle/manifest.json"), "new");
  EXPECT_EQ(*env.list_directory("/out"), (Names{"beside.txt", "bundle", "model.onnx"}));
}

TEST(Staging, AFailureAtAnyCallLeavesNothing) {
  for (int n = 1; n <= count_calls(false); ++n) {
    MemoryEnv memory;
    ASSERT_TRUE(memory.create_directories("/out").has_value());
    FailingEnv env(memory, n);
    ASSERT_FALSE(publish(env).has_value()) << "call " << n;
    EXPECT_TRUE(memory.list_directory("/out")->empty()) << "call " << n;
  }
}

TEST(Staging, AFailureAtAnyCallKeepsWhatWasThere) {
  const int calls = count_calls(true);
  for (int n = 1; n <= calls; ++n) {
    MemoryEnv memory;
    put_older(memory);
    FailingEnv env(memory, n);
    ASSERT_FALSE(publish(env).has_value()) << "call " << n;
    EXPECT_EQ(*memory.read_file("/out/bundle/manifest.json"), "old") << "call " << n;
    EXPECT_EQ(*memory.list_directory("/out/bundle"), (Names{"extra", "manifest.json"}));
    if (n < calls) {
      EXPECT_EQ(*memory.read_file(kOutput), "old model") << "call " << n;
      EXPECT_EQ(*memory.list_directory("/out"), (Names{"beside.txt", "bundle", "model.onnx"}));
    } else {
      EXPECT_FALSE(memory.stat(kOutput).has_value()) << "the last call syncs the folder";
    }
  }
}

TEST(Staging, TheOutputsFolderIsMadeOnlyAtTheEnd) {
  MemoryEnv env;
  ASSERT_TRUE(env.create_directories("/there").has_value());
  {
    auto staging = Staging::create(env, "/there/not/yet/model.onnx");
    ASSERT_TRUE(staging.has_value());
    ASSERT_TRUE(write_file_atomically(env, staging->path("model.onnx"), "model").has_value());
    ASSERT_TRUE(staging->clear().has_value());
    EXPECT_FALSE(env.stat("/there/not").has_value());
  }
  EXPECT_TRUE(env.list_directory("/there")->empty()) << "nothing was published, nothing is left";
  auto staging = Staging::create(env, "/there/not/yet/model.onnx");
  ASSERT_TRUE(write_file_atomically(env, staging->path("model.onnx"), "model").has_value());
  ASSERT_TRUE(staging->publish().has_value());
  EXPECT_EQ(*env.read_file("/there/not/yet/model.onnx"), "model");
}

}  // namespace
}  // namespace wattwise::deploy
