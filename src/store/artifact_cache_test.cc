// SPDX-License-Identifier: Apache-2.0
#include "store/artifact_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "core/atomic_file.h"
#include "core/failing_env.h"

namespace wattwise::store {
namespace {

const std::string kKey = "0123456789abcdef0123456789abcdef";
const std::string kOther = "fedcba9876543210fedcba9876543210";

class ArtifactCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = *system_env().make_temp_directory();
    put("made/model.onnx", std::string(3000, 'm'));
    put("made/bundle/model.onnx", std::string(3000, 'm'));
    put("made/bundle/deep/manifest.json", "{}");
    put("made/empty", "");
  }
  void TearDown() override { ASSERT_TRUE(system_env().remove(folder_).has_value()); }

  std::string at(const std::string& name) const { return join_path(folder_, name); }
  void put(const std::string& name, const std::string& content) const {
    ASSERT_TRUE(write_file_atomically(system_env(), at(name), content).has_value());
  }
  ArtifactCache cache(Env& env = system_env(), uint64_t max_bytes = 1'000'000) const {
    return {env, {at("cache"), max_bytes, Logger()}};
  }
  /// Everything below a folder: relative path -> content, "/" for folders.
  std::map<std::string, std::string> tree(const std::string& folder,
                                          const std::string& inside = "") const {
    std::map<std::string, std::string> out;
    const auto names = system_env().list_directory(join_path(folder, inside));
    for (const std::string& name : names ? *names : std::vector<std::string>()) {
      const std::string relative = inside.empty() ? name : inside + "/" + name;
      const std::string path = join_path(folder, relative);
      const bool is_folder = system_env().stat(path)->is_directory;
      out[relative] = is_folder ? "/" : *system_env().read_file(path);
      if (is_folder) out.merge(tree(folder, relative));
    }
    return out;
  }
  bool has(const std::string& key) const {
    return system_env().stat(at("cache/" + key)).has_value();
  }

  std::string folder_;
};

TEST_F(ArtifactCacheTest, GivesBackEveryFileAndTheNote) {
  EXPECT_FALSE(cache().restore(kKey, at("out"))->has_value()) << "nothing is there yet";
  ASSERT_TRUE(cache().keep(kKey, at("made"), {{"seconds", 1.5}}).has_value());
  ASSERT_TRUE(system_env().create_directories(at("out")).has_value());
  const auto note = cache().restore(kKey, at("out"));
  ASSERT_TRUE(note.has_value() && note->has_value());
  EXPECT_EQ((*note)->at("seconds"), 1.5);
  EXPECT_EQ(tree(at("out")), tree(at("made")));
  EXPECT_FALSE(cache().restore(kOther, at("out"))->has_value());
  EXPECT_EQ(tree(at("cache")).size(), 6u) << "a folder, three contents, the index, the use";
}

TEST_F(ArtifactCacheTest, WhatIsInPlaceAlreadyIsFoundOnlyIfItIsTheSame) {
  EXPECT_FALSE(cache().find_in_place(kKey, at("made")).has_value());
  ASSERT_TRUE(cache().keep(kKey, at("made"), {{"seconds", 1.5}}).has_value());
  put("out/beside.txt", "another file is no obstacle");
  EXPECT_FALSE(cache().find_in_place(kKey, at("out")).has_value());
  ASSERT_TRUE(cache().restore(kKey, at("out"))->has_value());
  ASSERT_TRUE(cache().find_in_place(kKey, at("out")).has_value());
  EXPECT_EQ(cache().find_in_place(kKey, at("out"))->at("seconds"), 1.5);
  const auto is_found_with = [&](const std::string& name, const std::string& content) {
    put("out/" + name, content);
    const bool found = cache().find_in_place(kKey, at("out")).has_value();
    EXPECT_TRUE(system_env().remove(at("out/" + name)).has_value());
    EXPECT_TRUE(cache().restore(kKey, at("out"))->has_value());
    return found;
  };
  EXPECT_TRUE(is_found_with("empty", ""));
  EXPECT_FALSE(is_found_with("empty", "x"));
  EXPECT_FALSE(is_found_with("bundle/deep/manifest.json", "[]"));
  EXPECT_FALSE(is_found_with("bundle/more", ""));
  ASSERT_TRUE(system_env().remove(at("out/bundle/deep/manifest.json")).has_value());
  EXPECT_FALSE(cache().find_in_place(kKey, at("out")).has_value());
}

TEST_F(ArtifactCacheTest, AnyDamageDropsTheEntry) {
  ASSERT_TRUE(cache().keep(kKey, at("made"), Json::object()).has_value());
  const auto sound = tree(at("cache/" + kKey));
  for (const auto& [name, content] : sound) {
    if (name == "used") continue;
    const std::vector<std::string> damages = {
        content + "x", content.substr(0, content.size() / 2) + "?",
        "x" + content.substr(std::min<size_t>(1, content.size()))};
    for (const std::string& damaged : damages) {
      SCOPED_TRACE(name);
      ASSERT_TRUE(cache().keep(kKey, at("made"), Json::object()).has_value());
      put("cache/" + kKey + "/" + name, damaged);
      const auto restored = cache().restore(kKey, at("out"));
      ASSERT_TRUE(restored.has_value()) << restored.error().to_string();
      EXPECT_FALSE(restored->has_value());
      EXPECT_FALSE(has(kKey));
      EXPECT_TRUE(tree(at("out")).empty()) << "nothing damaged was written";
      EXPECT_TRUE(tree(at("cache")).empty());
    }
    ASSERT_TRUE(cache().keep(kKey, at("made"), Json::object()).has_value());
    ASSERT_TRUE(system_env().remove(at("cache/" + kKey + "/" + name)).has_value());
    EXPECT_FALSE(cache().restore(kKey, at("out"))->has_value()) << name << " is missing";
  }
}

TEST_F(ArtifactCacheTest, TheLeastRecentlyUsedGoes) {
  const std::string third = "00000000000000000000000000000000";
  const auto keep = [&](const std::string& key) {
    EXPECT_TRUE(cache(system_env(), 8000).keep(key, at("made"), Json::object()).has_value());
  };
  const auto used_at = [&](const std::string& key) {
    int64_t newest = 0;
    for (const char* name : {"index", "used"}) {
      const auto info = system_env().stat(at("cache/" + key + "/" + name));
      if (info) newest = std::max(newest, info->modified_ns);
    }
    return newest;
  };
  keep(kKey);
  keep(kOther);
  while (used_at(kKey) <= used_at(kOther)) {  // the file system's clock has coarse steps
    ASSERT_TRUE(cache().restore(kKey, at("out"))->has_value());
  }
  keep(third);
  EXPECT_TRUE(has(kKey)) << "used since";
  EXPECT_FALSE(has(kOther));
  EXPECT_TRUE(has(third));
}

TEST_F(ArtifactCacheTest, WhatIsLargerThanTheWholeCacheIsNotKept) {
  ASSERT_TRUE(cache().keep(kKey, at("made"), Json::object()).has_value());
  const auto kept = cache(system_env(), 2000).keep(kOther, at("made"), Json::object());
  ASSERT_FALSE(kept.has_value());
  EXPECT_NE(kept.error().to_string().find("cache.max_size_mb"), std::string::npos);
  EXPECT_TRUE(has(kKey)) << "and nothing had to go for it";
}

TEST_F(ArtifactCacheTest, AFailureAtAnyCallLeavesASoundCache) {
  FailingEnv counter(system_env(), 0);
  ASSERT_TRUE(cache(counter).keep(kKey, at("made"), Json::object()).has_value());
  const int calls = counter.calls();
  ASSERT_GT(calls, 10);
  for (int n = 1; n <= calls; ++n) {
    SCOPED_TRACE(n);
    ASSERT_TRUE(system_env().remove(at("cache")).has_value());
    FailingEnv failing(system_env(), n);
    const auto kept = cache(failing).keep(kKey, at("made"), Json::object());
    ASSERT_TRUE(system_env().remove(at("out")).has_value());
    const auto restored = cache().restore(kKey, at("out"));
    ASSERT_TRUE(restored.has_value()) << restored.error().to_string();
    EXPECT_EQ(restored->has_value(), kept.has_value());
    if (!kept) {
      EXPECT_TRUE(tree(at("cache")).empty()) << "nothing half-written stays";
    }
  }
}

TEST_F(ArtifactCacheTest, AFailureWhileRestoringIsToldAndTheEntryStays) {
  ASSERT_TRUE(cache().keep(kKey, at("made"), Json::object()).has_value());
  FailingEnv failing(system_env(), 3);
  const auto restored = cache(failing).restore(kKey, at("out"));
  ASSERT_FALSE(restored.has_value());
  EXPECT_NE(restored.error().to_string().find("no space left"), std::string::npos);
  EXPECT_TRUE(has(kKey));
}

TEST_F(ArtifactCacheTest, ManyAtOnceDoNotDisturbEachOther) {
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::vector<std::string> wrong;
  const auto tell = [&](std::string what) {
    const std::lock_guard lock(mutex);
    wrong.push_back(std::move(what));
  };
  const auto expected = tree(at("made"));
  for (int id = 0; id < 4; ++id) {
    threads.emplace_back([&, id] {
      for (int round = 0; round < 20; ++round) {
        // One limit lets two entries live, so that some are removed while others are read.
        const std::string& key = (id + round) % 3 == 0 ? kKey : kOther;
        auto own = cache(system_env(), 4000);
        const auto kept = own.keep(key, at("made"), Json::object());
        if (!kept) tell(kept.error().to_string());
        const std::string out = at("out" + std::to_string(id));
        const auto removed = system_env().remove(out);
        if (!removed) tell(removed.error().to_string());
        const auto restored = own.restore(key, out);
        if (!restored) tell(restored.error().to_string());
        if (restored && restored->has_value() && tree(out) != expected) tell("other files");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<std::string>());
  for (const auto& [name, content] : tree(at("cache"))) {
    EXPECT_EQ(name.find(".part"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace wattwise::store
