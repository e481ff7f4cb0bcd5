// SPDX-License-Identifier: Apache-2.0
#include "deploy/prepare_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/atomic_file.h"
#include "core/failing_env.h"
#include "deploy/from_json.h"
#include "deploy/prepare.h"
#include "deploy/test_folder.h"
#include "deploy/to_json.h"

namespace wattwise::deploy {
namespace {

class PrepareCache : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    request_.model_path = save(model::text_like(), "text.onnx");
    request_.quantization_method = "dynamic";
  }
  PrepareResult run(Env& env = system_env(), const std::string& patch = "") {
    const auto result = prepare(*context(env, options(patch)), request_);
    EXPECT_TRUE(result.has_value()) << result.error().to_string();
    return *result;
  }
  static const Decision* find(const PrepareResult& result, const std::string& action) {
    const auto it = std::find_if(result.decisions.begin(), result.decisions.end(),
                                 [&](const Decision& d) { return d.action == action; });
    return it == result.decisions.end() ? nullptr : &*it;
  }
  static bool is_reused(const PrepareResult& result) { return find(result, "reuse") != nullptr; }
  std::string key(const std::string& patch = "") {
    const auto made = context(system_env(), options(patch));
    const auto key =
        preparation_key(*made, request_, {request_.model_path, at("models/text_optimized.onnx")});
    EXPECT_TRUE(key.has_value()) << key.error().to_string();
    return *key;
  }
  /// The document without what differs between a run and its reuse.
  static Json comparable(const PrepareResult& result) {
    PrepareResult copy = result;
    copy.preparation_time_seconds = 0;
    std::erase_if(copy.decisions, [](const Decision& d) { return d.action == "reuse"; });
    Json document = to_document(copy);
    document["original_provenance"] = provenance(copy.original_power_efficiency.figures);
    return document;
  }

  PrepareOptions request_;
};

TEST_F(PrepareCache, TheSecondTimeGivesTheSameBytesAndTheSameResult) {
  const PrepareResult first = run();
  EXPECT_FALSE(is_reused(first));
  const auto made = tree(models());
  ASSERT_TRUE(system_env().remove(first.output_model_path).has_value());
  ASSERT_TRUE(system_env().remove(first.bundle_path).has_value());
  const PrepareResult second = run();
  ASSERT_TRUE(is_reused(second));
  EXPECT_EQ(tree(models()), made);
  EXPECT_EQ(comparable(second), comparable(first));
  EXPECT_NE(find(second, "reuse")->reason.find("prepared before, on 20"), std::string::npos);
  EXPECT_GT(second.preparation_time_seconds, 0);
  const auto written = system_env().stat(second.output_model_path)->modified_ns;
  EXPECT_TRUE(is_reused(run()));
  EXPECT_EQ(system_env().stat(second.output_model_path)->modified_ns, written)
      << "what is in place already is not written again";
  ASSERT_TRUE(write_file_atomically(system_env(), second.output_model_path, "changed").has_value());
  EXPECT_TRUE(is_reused(run()));
  EXPECT_EQ(tree(models()), made);
  request_.use_cache = false;
  EXPECT_FALSE(is_reused(run())) << "it can be left out";
  EXPECT_EQ(tree(models()), made);
  request_.use_cache = true;
  EXPECT_FALSE(is_reused(run(system_env(), R"({"cache": {"enabled": false}})")));
}

TEST_F(PrepareCache, AModelThatWasMovedIsTheSame) {
  run();
  ASSERT_TRUE(system_env().create_directories(at("elsewhere")).has_value());
  ASSERT_TRUE(write_file_atomically(system_env(), at("elsewhere/text.onnx"),
                                    *system_env().read_file(request_.model_path))
                  .has_value());
  request_.model_path = at("elsewhere/text.onnx");
  const PrepareResult moved = run();
  EXPECT_TRUE(is_reused(moved));
  EXPECT_EQ(moved.input_model_path, at("elsewhere/text.onnx"));
  EXPECT_EQ(moved.output_model_path, at("elsewhere/text_balanced_optimized.onnx"));
  EXPECT_EQ(moved.bundle_path, at("elsewhere/text_balanced_optimized_android_bundle"));
  EXPECT_TRUE(system_env().stat(moved.output_model_path).has_value());
  EXPECT_TRUE(system_env().stat(join_path(moved.bundle_path, "manifest.json")).has_value());
}

TEST_F(PrepareCache, WhateverDecidesTheResultIsInTheKey) {
  std::vector<std::string> keys = {key()};
  EXPECT_EQ(key(), keys[0]);
  EXPECT_EQ(key(R"({"cache": {"max_size_mb": 7}})"), keys[0]) << "where it lies is not what it is";
  keys.push_back(key(R"({"quantization": {"max_accuracy_drop_percent": 3}})"));
  const PrepareOptions before = request_;
  const auto with = [&](const std::function<void(PrepareOptions&)>& change) {
    request_ = before;
    change(request_);
    keys.push_back(key());
    request_ = before;
  };
  with([](PrepareOptions& o) { o.quantization_method = "int4"; });
  with([](PrepareOptions& o) { o.model_type = "text"; });
  with([](PrepareOptions& o) { o.bundle = false; });
  with([](PrepareOptions& o) { o.measure = true; });
  with([](PrepareOptions& o) { o.fixed_inputs = {{"n", "1"}}; });
  with([](PrepareOptions& o) { o.sample_source = "mine"; });
  const std::vector<int64_t> ids = {1, 2, 3};
  const std::vector<int64_t> other = {1, 2, 4};
  with([&](PrepareOptions& o) { o.samples = {{{{"ids", make_int64_tensor({3}, ids)}}, {}}}; });
  with([&](PrepareOptions& o) { o.samples = {{{{"ids", make_int64_tensor({3}, other)}}, {}}}; });
  with([&](PrepareOptions& o) { o.samples = {{{{"ids", make_int64_tensor({1, 3}, ids)}}, {}}}; });
  with([&](PrepareOptions& o) { o.samples = {{{{"ids", at("sample.npy")}}, {}}}; });
  for (const char* content : {"one", "two"}) {
    ASSERT_TRUE(write_file_atomically(system_env(), at("sample.npy"), content).has_value());
    with([&](PrepareOptions& o) { o.samples = {{{{"ids", at("sample.npy")}}, {}}}; });
  }
  ASSERT_TRUE(write_file_atomically(system_env(), at("models/config.json"), "{}").has_value());
  keys.push_back(key());
  model::Model other_model = model::text_like();
  other_model.graph.initializers[0] =
      model::make_float_constant("table", {200, 64}, model::random_floats(200 * 64, 9));
  save(other_model, "text.onnx");
  keys.push_back(key());
  ASSERT_TRUE(model::save(system_env(), other_model, request_.model_path, "text.data").has_value());
  keys.push_back(key());
  std::string data = *system_env().read_file(at("models/text.data"));
  data[100] = static_cast<char>(data[100] ^ 1);
  ASSERT_TRUE(write_file_atomically(system_env(), at("models/text.data"), data).has_value());
  keys.push_back(key());
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(std::unique(keys.begin(), keys.end()), keys.end()) << "every change is another key";
}

TEST_F(PrepareCache, ADamagedEntryIsMadeAnew) {
  const PrepareResult first = run();
  const auto made = tree(models());
  for (const auto& [path, content] : tree(at("cache"))) {
    if (content.size() < 1000) continue;
    std::string damaged = content;
    damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
    ASSERT_TRUE(write_file_atomically(system_env(), path, damaged).has_value());
    ASSERT_TRUE(system_env().remove(first.output_model_path).has_value());
    EXPECT_FALSE(is_reused(run())) << path;
    EXPECT_EQ(tree(models()), made);
    EXPECT_TRUE(is_reused(run())) << "and is kept again";
  }
}

TEST_F(PrepareCache, AFolderThatCannotBeUsedDoesNoHarm) {
  ASSERT_TRUE(write_file_atomically(system_env(), at("cache"), "a file").has_value());
  const PrepareResult result = run();
  EXPECT_EQ(result.status, "ready");
  EXPECT_NE(find(result, "not_cached"), nullptr);
  EXPECT_TRUE(system_env().stat(result.output_model_path).has_value());
}

TEST_F(PrepareCache, AFailureAtAnyCallOfAReuseLeavesNoOutput) {
  const PrepareResult first = run();
  const auto clear = [&] {
    ASSERT_TRUE(system_env().remove(first.output_model_path).has_value());
    ASSERT_TRUE(system_env().remove(first.bundle_path).has_value());
  };
  clear();
  const auto before = tree(models());
  FailingEnv counter(system_env(), 0);
  ASSERT_TRUE(is_reused(run(counter)));
  int failed = 0;
  for (int n = 1; n <= counter.calls(); ++n) {
    SCOPED_TRACE(n);
    clear();
    FailingEnv failing(system_env(), n);
    const auto result = prepare(*context(failing, options()), request_);
    if (result) continue;  // the entry could not be marked as used, or the run not be recorded
    ++failed;
    EXPECT_NE(result.error().to_string().find("no space left"), std::string::npos);
    const bool after_last_move =
        result.error().to_string().find("cannot sync " + models() + ":") != std::string::npos;
    if (!after_last_move) {
      EXPECT_EQ(tree(models()), before);
    }
  }
  EXPECT_GT(failed, 15);
}

TEST_F(PrepareCache, ADryRunNeitherReusesNorKeeps) {
  request_.dry_run = true;
  run();
  EXPECT_FALSE(system_env().stat(at("cache")).has_value());
}

TEST_F(PrepareCache, AResultSurvivesItsDocument) {
  PrepareResult result = run();
  result.accuracy.drop_percent = std::nan("");
  ASSERT_FALSE(result.layers.empty());
  result.layers[0].hurt_by = "outlier channel 3 of 8";
  result.layers[0].measured_error_percent = 12.5;
  result.layers[0].action = "kept in 16 bits";
  const Json document = to_document(result);
  const Json original = provenance(result.original_power_efficiency.figures);
  const auto read = read_prepare_result(document, original);
  ASSERT_TRUE(read.has_value()) << read.error().to_string();
  EXPECT_EQ(to_document(*read), document);
  Json broken = document;
  broken.erase("accuracy");
  EXPECT_EQ(read_prepare_result(broken, original).error().code(), ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace wattwise::deploy
