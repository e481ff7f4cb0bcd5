// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "deploy/context.h"
#include "model/save.h"
#include "model/test_models.h"

namespace wattwise::deploy {

/// A temporary folder of the system with models/ in it and a place for the database beside.
class FolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = *system_env().canonical_path(*system_env().make_temp_directory());
    ASSERT_TRUE(system_env().create_directories(models()).has_value());
  }
  void TearDown() override { ASSERT_TRUE(system_env().remove(folder_).has_value()); }

  std::string at(const std::string& name) const { return join_path(folder_, name); }
  std::string models() const { return at("models"); }
  std::string save(const model::Model& model, const std::string& name) const {
    const std::string path = join_path(models(), name);
    EXPECT_TRUE(model::save(system_env(), model, path).has_value());
    return path;
  }

  DeploymentOptions options(const std::string& patch = "") const {
    DeploymentOptions out;
    out.db_path = at("db/test.duckdb");
    out.cache_folder = at("cache");
    out.deployment_target = "ANDROID";
    if (!patch.empty()) out.config_patches = {{"test", patch}};
    return out;
  }
  std::unique_ptr<Context> context(Env& env, DeploymentOptions with) const {
    auto made = Context::create(env, std::move(with));
    EXPECT_TRUE(made.has_value()) << made.error().to_string();
    return std::move(*made);
  }

  /// Everything below a folder: path -> content, "/" for folders.
  std::map<std::string, std::string> tree(const std::string& folder) const {
    std::map<std::string, std::string> out;
    const auto names = system_env().list_directory(folder);
    for (const std::string& name : names ? *names : std::vector<std::string>()) {
      const std::string path = join_path(folder, name);
      const bool is_folder = system_env().stat(path)->is_directory;
      out[path] = is_folder ? "/" : *system_env().read_file(path);
      if (is_folder) out.merge(tree(path));
    }
    return out;
  }

  std::string folder_;
};

}  // namespace wattwise::deploy
