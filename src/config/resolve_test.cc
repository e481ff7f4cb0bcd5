// SPDX-License-Identifier: Apache-2.0
#include "config/resolve.h"

#include <gtest/gtest.h>

#include <set>

#include "config/bindings.h"
#include "core/memory_env.h"

namespace wattwise::config {
namespace {

Tables builtin() {
  MemoryEnv env;
  auto tables = load_tables(env, "");
  EXPECT_TRUE(tables.has_value()) << tables.error().to_string();
  return std::move(*tables);
}

Layer layer(const char* text) { return {"test", *parse_json(text, "test")}; }

TEST(Config, EveryKeyIsBoundAndEveryBindingHasAKey) {
  const Tables tables = builtin();
  std::set<std::string> keys;
  for (const auto& [section, rows] : tables.defaults.items()) {
    for (const auto& [key, row] : rows.items()) {
      keys.insert(section + "." + key);
      EXPECT_FALSE(row["doc"].get<std::string>().empty()) << key;
    }
  }
  std::set<std::string> bound;
  for (const Binding& b : bindings())
    bound.insert(std::string(b.section) + "." + std::string(b.key));
  EXPECT_EQ(keys, bound);
}

TEST(Config, EveryProfileResolvesOnEveryTarget) {
  const Tables tables = builtin();
  EXPECT_EQ(tables.targets.size(), 6u);
  EXPECT_EQ(tables.profiles.size(), 5u);
  for (const auto& [profile, p] : tables.profiles) {
    for (const auto& [target, t] : tables.targets) {
      const auto resolved = resolve(tables, profile, target, {});
      ASSERT_TRUE(resolved.has_value()) << resolved.error().to_string();
      EXPECT_EQ(resolved->config.power_profile, profile);
      EXPECT_EQ(resolved->config.deployment_target, target);
    }
  }
}

TEST(Config, LayersFoldInOrderAndAreNamed) {
  const Tables tables = builtin();
  const auto resolved = resolve(tables, "power_saver", "browser",
                                {layer(R"({"quantization": {"objective": "SIZE"}})")});
  ASSERT_TRUE(resolved.has_value()) << resolved.error().to_string();
  EXPECT_EQ(resolved->config.quantization.objective, "size");
  EXPECT_EQ(resolved->config.quantization.max_accuracy_drop_percent, 2);
  EXPECT_EQ(resolved->config.inference_optimization.optimal_batch_size, 1);
  EXPECT_EQ(resolved->origin.at("quantization.objective"), "test");
  EXPECT_EQ(resolved->origin.at("quantization.max_accuracy_drop_percent"), "profile POWER_SAVER");
  EXPECT_EQ(resolved->origin.at("inference_optimization.optimal_batch_size"), "target BROWSER");
  EXPECT_EQ(resolved->origin.at("monitoring.retention_days"), "defaults");
}

TEST(Config, AnUpdateMakesTheProfileCustom) {
  const Tables tables = builtin();
  const auto first = resolve(tables, "BALANCED", "ANDROID", {});
  const auto second =
      update(tables, *first, layer(R"({"quantization":{"preferred_method":"int4"}})"));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->config.power_profile, "CUSTOM");
  EXPECT_EQ(second->config.base_profile, "BALANCED");
  EXPECT_EQ(second->config.quantization.preferred_method, "int4");
  const auto third = update(tables, *second, layer(R"({"device":{"battery_wh":null}})"));
  EXPECT_EQ(third->config.base_profile, "BALANCED");
}

TEST(Config, RefusesAndNamesTheNearest) {
  const Tables tables = builtin();
  const auto message = [&](const char* text) {
    const auto resolved = resolve(tables, "BALANCED", "DESKTOP", {layer(text)});
    return resolved ? "accepted" : resolved.error().message();
  };
  EXPECT_EQ(message(R"({"quantisation":{}})"),
            "the setting quantisation (from test) is no section. Did you mean \"quantization\"?");
  EXPECT_NE(message(R"({"quantization":{"objectiv":"size"}})").find("quantization.objective"),
            std::string::npos);
  EXPECT_NE(message(R"({"quantization":{"enabled":"yes"}})").find("true or false"),
            std::string::npos);
  EXPECT_NE(message(R"({"inference_optimization":{"optimal_batch_size":0}})").find("at least 1"),
            std::string::npos);
  EXPECT_NE(message(R"({"inference_optimization":{"optimal_batch_size":1.5}})").find("whole"),
            std::string::npos);
  EXPECT_NE(message(R"({"monitoring":{"retention_days":null}})").find("a number"),
            std::string::npos);
  EXPECT_NE(message("[1]").find("must be a JSON object"), std::string::npos);
}

TEST(Config, CustomTargetNeedsItsFolder) {
  const Tables tables = builtin();
  const auto refused = resolve(tables, "BALANCED", "CUSTOM", {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message().find("target.json"), std::string::npos);
  MemoryEnv env;
  env.put_file("/data/targets/custom/target.json", R"({"id": "CUSTOM", "config": {}})");
  const auto loaded = load_tables(env, "/data");
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  EXPECT_TRUE(resolve(*loaded, "CUSTOM", "CUSTOM", {}).has_value());
}

TEST(Config, UnknownProfileSuggests) {
  const auto resolved = resolve(builtin(), "BALANCD", "DESKTOP", {});
  ASSERT_FALSE(resolved.has_value());
  EXPECT_EQ(resolved.error().message(),
            "the power profile \"BALANCD\" is unknown. Did you mean \"BALANCED\"?");
}

}  // namespace
}  // namespace wattwise::config
