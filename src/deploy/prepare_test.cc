// SPDX-License-Identifier: Apache-2.0
#include "deploy/prepare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/failing_env.h"
#include "deploy/test_folder.h"
#include "model/graph_edit.h"
#include "model/load.h"

namespace wattwise::deploy {
namespace {

using Prepare = FolderTest;

PrepareOptions preparation(const std::string& path, const std::string& method = "") {
  PrepareOptions options;
  options.model_path = path;
  options.quantization_method = method;
  options.use_cache = false;
  return options;
}

const Decision* find(const std::vector<Decision>& decisions, const std::string& action) {
  const auto it = std::find_if(decisions.begin(), decisions.end(),
                               [&](const Decision& d) { return d.action == action; });
  return it == decisions.end() ? nullptr : &*it;
}

store::Preparation newest_record(Context& context) {
  auto store = context.store();
  EXPECT_TRUE(store.has_value()) << store.error().to_string();
  const auto rows = (*store)->preparations(10);
  EXPECT_TRUE(rows.has_value()) << rows.error().to_string();
  EXPECT_EQ(rows->size(), 1u);
  return rows->empty() ? store::Preparation() : rows->front();
}

/// Weights listed as inputs too, as some exporters do it.
model::Model with_default_inputs(int64_t ir_version) {
  model::Model model = model::text_like();
  model.ir_version = ir_version;
  for (const model::Constant& constant : model.graph.initializers) {
    model.graph.inputs.push_back(model::make_value(constant.name, constant.type, constant.shape));
  }
  return model;
}

TEST_F(Prepare, WeightsThatAreInputsWithDefaultsAreQuantized) {
  const std::string path = save(with_default_inputs(8), "text.onnx");
  const auto made = context(system_env(), options());
  const auto result = prepare(*made, preparation(path, "weight_only"));
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(result->quantization_method, "weight_only");
  EXPECT_EQ(result->layers.size(), 3u);
  const Decision* told = find(result->decisions, "fix_input");
  ASSERT_NE(told, nullptr);
  EXPECT_NE(told->reason.find("2 inputs have defaults"), std::string::npos) << told->reason;
  const auto written = model::load(system_env(), result->output_model_path);
  ASSERT_TRUE(written.has_value());
  EXPECT_EQ(written->graph.inputs.size(), 1u);
}

TEST_F(Prepare, InputsWithDefaultsStayWhereTheCallerWantsThem) {
  const std::string path = save(with_default_inputs(8), "text.onnx");
  DeploymentOptions kept = options();
  kept.config_patches = {{"test", R"({"optimization":{"keep_default_inputs":true}})"}};
  const auto made = context(system_env(), kept);
  const auto result = prepare(*made, preparation(path, "none"));
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(find(result->decisions, "fix_input"), nullptr);
  const auto written = model::load(system_env(), result->output_model_path);
  ASSERT_TRUE(written.has_value());
  EXPECT_EQ(written->graph.inputs.size(), 3u);
}

TEST_F(Prepare, Int8WeightsThatSaturateAsGivenAreKeptAndTold) {
  model::Model given = model::text_like();
  const std::vector<int8_t> extreme(48 * 16, 127);
  Tensor tensor{DataType::kInt8, {48, 16}, Bytes::copy_of(std::span<const int8_t>(extreme)), {}};
  given.graph.initializers.push_back(model::make_constant("w3", tensor));
  given.graph.nodes.push_back(model::make_node("Cast", {"h"}, "b"));
  given.graph.nodes.back().set_attribute("to", static_cast<int64_t>(DataType::kUint8));
  given.graph.nodes.push_back(model::make_node("MatMulInteger", {"b", "w3"}, "z"));
  given.graph.outputs.push_back(model::make_value("z", DataType::kInt32, {1, 8, 16}));
  const std::string path = save(std::move(given), "text.onnx");
  const auto made = context(system_env(), options());
  const auto result = prepare(*made, preparation(path, "weight_only"));
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(result->quantization_method, "weight_only");
  const Decision* told = find(result->decisions, "keep");
  ASSERT_NE(told, nullptr);
  EXPECT_NE(told->reason.find("1 int8 weights"), std::string::npos) << told->reason;
}

TEST_F(Prepare, WritesAModelThatIsSmallerAndComparedWithItsBundle) {
  const std::string path = save(model::text_like(), "text.onnx");
  const auto made = context(system_env(), options());
  const auto result = prepare(*made, preparation(path, "dynamic"));
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(result->status, "ready");
  EXPECT_EQ(result->quantization_method, "dynamic");
  EXPECT_EQ(result->output_model_path, at("models/text_balanced_optimized.onnx"));
  EXPECT_EQ(result->bundle_path, at("models/text_balanced_optimized_android_bundle"));
  const auto stat = system_env().stat(result->output_model_path);
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(result->optimized_size_bytes, static_cast<int64_t>(stat->size_bytes));
  EXPECT_GT(result->size_reduction_ratio, 1);
  EXPECT_GT(result->accuracy.samples, 0);
  ASSERT_EQ(result->accuracy.outputs.size(), 1u);
  EXPECT_GT(result->accuracy.outputs[0].cosine, 0.99);
  EXPECT_FALSE(result->layers.empty());
  const std::string packed = join_path(result->bundle_path, "text_balanced_optimized.onnx");
  EXPECT_EQ(*system_env().read_file(packed), *system_env().read_file(result->output_model_path));
  EXPECT_TRUE(system_env().stat(join_path(result->bundle_path, "manifest.json")).has_value());
  EXPECT_EQ(system_env().list_directory(models())->size(), 3u) << "input, output, bundle";
  for (const auto& [id, figure] : result->power_efficiency.figures) {
    EXPECT_FALSE(figure.method.empty()) << id;
    EXPECT_EQ(figure.value.has_value(), figure.origin != Origin::kAbsent) << id;
  }
}

/// A matrix and its bias, which hand NaN on.
model::Model sum_model() {
  model::Model model = model::dense_like(64, 64);
  model.graph.nodes.pop_back();
  model.graph.outputs[0].name = "s";
  return model;
}

InferenceInputs rows(int64_t count, float first) {
  std::vector<float> values = model::random_floats(static_cast<size_t>(count) * 64, 3);
  if (count > 0) values[0] = first;
  return {{{"x", make_float_tensor({count, 64}, values)}}, {}};
}

TEST_F(Prepare, SamplesThatTheModelAnswersWithNaNAreLeftOut) {
  const auto made = context(system_env(), options());
  PrepareOptions request = preparation(save(sum_model(), "sum.onnx"), "dynamic");
  request.samples = {rows(2, std::nanf("")), rows(2, 1), rows(2, 0)};
  const auto result = prepare(*made, request);
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(result->accuracy.samples, 2);
  EXPECT_GT(result->accuracy.outputs[0].cosine, 0.99);
}

TEST_F(Prepare, RefusesSamplesWithoutElements) {
  const auto made = context(system_env(), options());
  PrepareOptions request = preparation(save(sum_model(), "sum.onnx"), "dynamic");
  request.samples = {rows(0, 0)};
  const auto result = prepare(*made, request);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(result.error().to_string().find("outputs without elements"), std::string::npos);
}

TEST_F(Prepare, WithoutABundleOnlyTheModelIsWritten) {
  PrepareOptions options_ = preparation(save(model::text_like(), "text.onnx"));
  options_.bundle = false;
  options_.output_path = at("made/on/demand.onnx");
  const auto made = context(system_env(), options());
  const auto result = prepare(*made, options_);
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(result->bundle_path, "");
  EXPECT_EQ(*system_env().list_directory(at("made/on")), (std::vector<std::string>{"demand.onnx"}));
  EXPECT_EQ(system_env().list_directory(models())->size(), 1u);
}

TEST_F(Prepare, TwiceGivesTheSameFilesAgain) {
  const std::string path = save(model::text_like(), "text.onnx");
  const auto made = context(system_env(), options());
  const auto first = prepare(*made, preparation(path));
  ASSERT_TRUE(first.has_value()) << first.error().to_string();
  const std::string bytes = *system_env().read_file(first->output_model_path);
  const auto second = prepare(*made, preparation(path));
  ASSERT_TRUE(second.has_value()) << second.error().to_string();
  EXPECT_EQ(*system_env().read_file(second->output_model_path), bytes);
  EXPECT_EQ(system_env().list_directory(models())->size(), 3u);
}

TEST_F(Prepare, RefusesWhatCannotWorkAndLeavesNothing) {
  const std::string path = save(model::text_like(), "text.onnx");
  const auto before = tree(models());
  const auto made = context(system_env(), options());
  const auto refused = [&](PrepareOptions with, ErrorCode code, std::string_view part) {
    const auto result = prepare(*made, with);
    ASSERT_FALSE(result.has_value()) << part;
    EXPECT_EQ(result.error().code(), code) << result.error().to_string();
    EXPECT_NE(result.error().to_string().find(part), std::string::npos)
        << result.error().to_string();
    EXPECT_EQ(tree(models()), before) << part;
  };
  PrepareOptions itself = preparation(path);
  itself.output_path = at("models/../models/text.onnx");
  refused(itself, ErrorCode::kInvalidArgument, "is the input itself");
  PrepareOptions type = preparation(path);
  type.model_type = "texd";
  refused(type, ErrorCode::kInvalidArgument, "Did you mean \"text\"?");
  refused(preparation(path, "dynamc"), ErrorCode::kInvalidArgument, "Did you mean \"dynamic\"?");
  refused(preparation(path, "static"), ErrorCode::kInvalidArgument, "calibration data");
  refused(preparation(at("models/none.onnx")), ErrorCode::kNotFound, "none.onnx");
}

TEST_F(Prepare, EveryMethodThatIsRejectedLeavesADecision) {
  model::Model bare = model::dense_like();  // without a weight there is nothing to quantize
  bare.graph.initializers.clear();
  bare.graph.nodes = {model::make_node("Relu", {"x"}, "y")};
  bare.graph.outputs = {model::make_value("y", DataType::kFloat, {-1, 4})};
  const auto made = context(system_env(), options());
  const auto result = prepare(*made, preparation(save(bare, "bare.onnx"), "dynamic"));
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(result->requested_quantization_method, "dynamic");
  EXPECT_EQ(result->quantization_method, "none");
  std::vector<std::string> rejected;
  for (const Decision& decision : result->decisions) {
    if (decision.action != "fall_back") continue;
    rejected.push_back(decision.subject);
    EXPECT_NE(decision.reason.find("nothing in this model"), std::string::npos);
  }
  EXPECT_EQ(rejected, (std::vector<std::string>{"dynamic", "weight_only", "fp16"}));
}

TEST_F(Prepare, ALimitThatNoMethodKeepsLeavesTheModelInFloat) {
  // Products of smaller matrices would stay in float.
  const std::string path = save(model::dense_like(512, 512), "dense.onnx");
  const std::string strict = R"({"quantization": {"max_accuracy_drop_percent": 0}})";
  const auto kept = prepare(*context(system_env(), options(strict)), preparation(path, "auto"));
  ASSERT_TRUE(kept.has_value()) << kept.error().to_string();
  EXPECT_EQ(kept->quantization_method, "none");
  EXPECT_NEAR(kept->accuracy.drop_percent, 0, 1e-9);
  std::vector<std::string> rejected;
  for (const Decision& decision : kept->decisions) {
    if (decision.action != "fall_back") continue;
    rejected.push_back(decision.subject);
    EXPECT_NE(decision.reason.find("above the limit of 0.00 %"), std::string::npos)
        << decision.reason;
  }
  EXPECT_EQ(rejected, (std::vector<std::string>{"dynamic", "mixed", "weight_only", "fp16"}))
      << "in this order";
}

TEST_F(Prepare, AMethodThatWasNamedIsKeptWithAWarning) {
  const std::string path = save(model::text_like(), "text.onnx");
  const std::string strict = R"({"quantization": {"max_accuracy_drop_percent": 0}})";
  const auto kept = prepare(*context(system_env(), options(strict)), preparation(path, "int4"));
  ASSERT_TRUE(kept.has_value()) << kept.error().to_string();
  EXPECT_EQ(kept->quantization_method, "int4");
  const Decision* warning = find(kept->decisions, "warn");
  ASSERT_NE(warning, nullptr);
  EXPECT_NE(warning->reason.find("above the limit"), std::string::npos);
}

TEST_F(Prepare, WarningsReachTheLogAlsoFromTheCache) {
  std::vector<std::string> told;
  DeploymentOptions listening = options();
  listening.log = [&](std::string_view level, std::string_view, std::string_view message) {
    if (level == "warning") told.emplace_back(message);
  };
  const std::string path = save(model::dense_like(64, 64), "small.onnx");
  for (const std::string_view run : {"made", "reused"}) {
    told.clear();
    PrepareOptions named = preparation(path, "weight_only");
    named.use_cache = true;
    const auto result = prepare(*context(system_env(), listening), named);
    ASSERT_TRUE(result.has_value()) << result.error().to_string();
    EXPECT_EQ(find(result->decisions, "reuse") != nullptr, run == "reused");
    ASSERT_EQ(told.size(), 1u) << run;
    EXPECT_NE(told[0].find("weight_only: 1 of 1 quantized products"), std::string::npos) << told[0];
  }
  told.clear();
  ASSERT_TRUE(prepare(*context(system_env(), listening), preparation(path, "auto")).has_value());
  EXPECT_TRUE(told.empty()) << told[0];
}

TEST_F(Prepare, ADryRunDecidesAndWritesNothing) {
  PrepareOptions dry = preparation(save(model::text_like(), "text.onnx"), "dynamic");
  dry.dry_run = true;
  dry.output_path = at("new/folder/out.onnx");
  const auto before = tree(folder_);
  const auto result = prepare(*context(system_env(), options()), dry);
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(result->status, "planned");
  EXPECT_EQ(result->output_model_path, "");
  EXPECT_EQ(result->bundle_path, "");
  EXPECT_EQ(result->quantization_method, "dynamic");
  EXPECT_GT(result->size_reduction_ratio, 1);
  EXPECT_EQ(tree(folder_), before) << "not even a database";
}

TEST_F(Prepare, CancellingAtAnyStageLeavesNothingButARecord) {
  const std::string path = save(model::text_like(), "text.onnx");
  const auto before = tree(models());
  std::vector<std::string> stages;
  DeploymentOptions watching = options();
  watching.progress = [&](std::string_view stage, double) {
    stages.emplace_back(stage);
    return true;
  };
  PrepareOptions dry = preparation(path, "dynamic");
  dry.dry_run = true;
  ASSERT_TRUE(prepare(*context(system_env(), watching), dry).has_value());
  const size_t steps = stages.size() + 1;  // and the writing itself
  EXPECT_GE(steps, 6u);
  for (size_t at_step = 1; at_step <= steps; ++at_step) {
    SCOPED_TRACE(at_step);
    ASSERT_TRUE(system_env().remove(at("db")).has_value());
    size_t step = 0;
    DeploymentOptions stopping = options();
    stopping.progress = [&](std::string_view, double) { return ++step < at_step; };
    const auto made = context(system_env(), stopping);
    const auto result = prepare(*made, preparation(path, "dynamic"));
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(step, at_step) << "nobody asks again after a refusal";
    EXPECT_EQ(result.error().code(), ErrorCode::kExhausted) << result.error().to_string();
    EXPECT_NE(result.error().to_string().find("cancelled"), std::string::npos);
    EXPECT_EQ(tree(models()), before);
    EXPECT_EQ(newest_record(*made).status, "failed");
  }
}

/// One preparation with the n-th changing call failing, into a fresh database.
class FailingPrepare : public FolderTest {
 protected:
  /// How many changing calls there are; the models folder is as before afterwards.
  int count_calls(const PrepareOptions& what) {
    FailingEnv counter(system_env(), 0);
    EXPECT_TRUE(prepare(*context(counter, options()), what).has_value());
    return counter.calls();
  }

  void check(const PrepareOptions& what, int n, const std::map<std::string, std::string>& before) {
    ASSERT_TRUE(system_env().remove(at("db")).has_value());
    FailingEnv env(system_env(), n);
    const auto made = context(env, options());
    const auto result = prepare(*made, what);
    ASSERT_GE(env.calls(), n);
    if (result) {
      EXPECT_NE(find(result->decisions, "not_recorded"), nullptr);
      EXPECT_TRUE(system_env().stat(result->output_model_path).has_value());
      ++unrecorded_;
      return;
    }
    ++failed_;
    EXPECT_EQ(result.error().code(), ErrorCode::kIo) << result.error().to_string();
    EXPECT_NE(result.error().to_string().find("no space left"), std::string::npos);
    const bool after_last_move =
        result.error().to_string().find("cannot sync " + models() + ":") != std::string::npos;
    auto expected = before;
    if (after_last_move) expected.erase(at("models/text_balanced_optimized.onnx"));
    EXPECT_EQ(tree(models()), expected);
    const auto record = newest_record(*made);
    EXPECT_EQ(record.status, "failed");
    EXPECT_EQ(record.model_path, what.model_path);
    EXPECT_EQ(record.output_path, "");
    EXPECT_NE(record.error.find("no space left"), std::string::npos);
  }

  int failed_ = 0;
  int unrecorded_ = 0;
};

TEST_F(FailingPrepare, LeavesNothingAndIsRecorded) {
  const PrepareOptions what = preparation(save(model::text_like(), "text.onnx"), "dynamic");
  const auto before = tree(models());
  const int calls = count_calls(what);
  ASSERT_GT(calls, 30);
  for (int n = 1; n <= calls; ++n) {
    SCOPED_TRACE(n);
    for (const auto& [path, content] : tree(models())) {
      if (before.contains(path)) continue;
      ASSERT_TRUE(system_env().remove(path).has_value());
    }
    check(what, n, before);
  }
  EXPECT_GT(failed_, 20);
  EXPECT_GT(unrecorded_, 2) << "a database that cannot be written does not undo the rest";
}

TEST_F(FailingPrepare, KeepsAnOlderOutput) {
  const PrepareOptions what = preparation(save(model::text_like(), "text.onnx"), "dynamic");
  ASSERT_TRUE(prepare(*context(system_env(), options()), preparation(what.model_path, "int4")));
  const auto before = tree(models());
  FailingEnv counter(system_env(), 0);
  ASSERT_TRUE(prepare(*context(counter, options()), what).has_value());
  for (int n = counter.calls() - 16; n <= counter.calls(); ++n) {
    SCOPED_TRACE(n);
    ASSERT_TRUE(system_env().remove(at("models/text_balanced_optimized_android_bundle")));
    ASSERT_TRUE(prepare(*context(system_env(), options()), preparation(what.model_path, "int4")));
    check(what, n, tree(models()));
  }
  EXPECT_GT(failed_, 4);
}

}  // namespace
}  // namespace wattwise::deploy
