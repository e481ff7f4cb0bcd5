// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/session.h"
#include "measure/metrics.h"
#include "model/graph_edit.h"
#include "model/test_models.h"
#include "model/walk.h"
#include "quantize/divide_inputs.h"
#include "quantize/kernels.h"
#include "quantize/quantize_testing.h"
#include "quantize/smooth_inputs.h"
#include "quantize/smoothing.h"

namespace wattwise::quantize {
namespace {

using fixtures::kNoProgress;
using model::make_float_constant;
using model::make_int64_constant;
using model::make_node;
using model::make_value;
using model::random_floats;

constexpr int64_t kWidth = 32;

/// Some columns are many times as large as the others.
std::vector<float> uneven(size_t count, uint32_t seed) {
  std::vector<float> values = random_floats(count, seed);
  for (size_t i = 0; i < count; i += 8) values[i] *= 25;
  return values;
}

void add_matrix(model::Model& model, const std::string& name, uint32_t seed) {
  auto weights = random_floats(kWidth * kWidth, seed);
  // Small queries: an attention to one value only would jump from one to another.
  for (float& weight : weights) weight *= name == "q" ? 0.001F : 1;
  model.graph.initializers.push_back(make_float_constant(name, {kWidth, kWidth}, weights));
  model.graph.initializers.push_back(
      make_float_constant(name + "_bias", {kWidth}, random_floats(kWidth, seed + 50)));
}

/// Normalization, attention of 4 heads, and a matrix behind a Relu whose input something else reads
/// too.
model::Model attention_like() {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 17}};
  model.graph.name = "attention";
  model.graph.inputs = {make_value("x", DataType::kFloat, {1, -1, kWidth})};
  model.graph.outputs = {make_value("y", DataType::kFloat, {1, -1, kWidth})};
  model.graph.initializers = {
      make_float_constant("scale", {kWidth}, uneven(kWidth, 1)),
      make_float_constant("shift", {kWidth}, random_floats(kWidth, 2)),
      make_int64_constant("heads", {4}, std::vector<int64_t>{1, -1, 4, 8}),
      make_int64_constant("flat", {3}, std::vector<int64_t>{1, -1, kWidth})};
  for (const char* name : {"q", "k", "v", "o", "f"}) {
    add_matrix(model, name, static_cast<uint32_t>(name[0]));
  }
  auto& nodes = model.graph.nodes;
  nodes.push_back(make_node("LayerNormalization", {"x", "scale", "shift"}, "n"));
  for (const std::string name : {"q", "k", "v"}) {
    nodes.push_back(make_node("MatMul", {"n", name}, name + "0"));
    nodes.push_back(make_node("Add", {name + "_bias", name + "0"}, name + "1"));
    nodes.push_back(make_node("Reshape", {name + "1", "heads"}, name + "2"));
    nodes.push_back(make_node("Transpose", {name + "2"}, name + "3"));
    const bool is_key = name == "k";
    nodes.back().set_attribute(
        "perm", is_key ? std::vector<int64_t>{0, 2, 3, 1} : std::vector<int64_t>{0, 2, 1, 3});
  }
  nodes.push_back(make_node("MatMul", {"q3", "k3"}, "scores"));
  nodes.push_back(make_node("Softmax", {"scores"}, "p"));
  nodes.push_back(make_node("MatMul", {"p", "v3"}, "c0"));
  nodes.push_back(make_node("Transpose", {"c0"}, "c1"));
  nodes.back().set_attribute("perm", std::vector<int64_t>{0, 2, 1, 3});
  nodes.push_back(make_node("Reshape", {"c1", "flat"}, "c"));
  nodes.push_back(make_node("MatMul", {"c", "o"}, "o0"));
  nodes.push_back(make_node("Add", {"o0", "o_bias"}, "o1"));
  nodes.push_back(make_node("Relu", {"o1"}, "r"));
  nodes.push_back(make_node("MatMul", {"r", "f"}, "f0"));
  nodes.push_back(make_node("Add", {"f0", "r"}, "y"));
  // Columns of other values differ as much as those of the normalization.
  for (auto& constant : model.graph.initializers) {
    if (constant.name != "v" && constant.name != "o") continue;
    const auto seed = static_cast<uint32_t>(constant.name[0]);
    const auto count = static_cast<size_t>(constant.element_count());
    constant = make_float_constant(constant.name, constant.shape, uneven(count, seed));
  }
  return model;
}

/// Neighbouring columns go together: rounding errors of one can be made up for by the next.
TensorMap related_rows(int64_t rows, uint32_t seed) {
  const auto count = static_cast<size_t>(rows * kWidth);
  std::vector<float> values = random_floats(count, seed);
  for (size_t i = 1; i < count; ++i) values[i] = 0.5F * values[i] + 0.85F * values[i - 1];
  return {{"x", make_float_tensor({1, rows, kWidth}, values)}};
}

/// Samples of different lengths, made when they are asked for.
CalibrationData samples(int64_t count) {
  return {engine::runtime_for_tests(), system_env(), skip_samples([count]() -> SampleReader {
            return [count, next = int64_t{0}]() mutable -> Result<std::optional<TensorMap>> {
              if (next == count) return std::optional<TensorMap>();
              ++next;
              return std::optional(related_rows(3 + next % 5, static_cast<uint32_t>(next)));
            };
          })};
}

model::ShapeTable shapes_of(const model::Model& model) {
  auto shapes =
      engine::infer_shapes(engine::runtime_for_tests(), system_env(), model, {{{"x:1", 6}}, {}});
  EXPECT_TRUE(shapes.has_value()) << shapes.error().to_string();
  return *shapes;
}

/// 1 - cosine of the outputs of two models for inputs that calibration has not seen.
double error_between(const model::Model& first, const model::Model& second) {
  const auto run = [](const model::Model& model) {
    auto session =
        engine::open_session(engine::runtime_for_tests(), system_env(), model, "test", {});
    EXPECT_TRUE(session.has_value()) << session.error().to_string();
    auto outputs = (*session)->run(related_rows(40, 999));
    EXPECT_TRUE(outputs.has_value()) << outputs.error().to_string();
    return *outputs;
  };
  const auto compared = measure::compare_outputs(run(first), run(second));
  EXPECT_TRUE(compared.has_value());
  return 1 - compared->front().cosine;
}

int64_t count_decisions(const MethodOutcome& outcome, const std::string& action,
                        const std::string& words = "") {
  return std::count_if(outcome.decisions.begin(), outcome.decisions.end(), [&](const auto& told) {
    return told.action == action && told.reason.find(words) != std::string::npos;
  });
}

TEST(InputStatistics, AreThoseOfAllRowsOfAllSamples) {
  const model::Model model = attention_like();
  const CalibrationData data = samples(150);  // more rows than are added to the matrix at once
  const model::ShapeTable shapes;
  const auto gathered = gather_input_statistics(model, {{"x", kWidth}, {"r", kWidth}},
                                                Detail::kGram, {shapes, kNoProgress, {}, &data});
  ASSERT_TRUE(gathered.has_value()) << gathered.error().to_string();
  const InputStatistics& x = gathered->front();
  std::vector<double> gram(kWidth * kWidth), largest(kWidth), sums(kWidth);
  int64_t rows = 0;
  const SampleReader next = data.open({});
  // It stops at 64 samples: by then each column has been seen more than twice as often as needed.
  for (int i = 0; i < 64; ++i) {
    const TensorMap inputs = **next();
    const auto values = inputs.at("x").values<float>();
    for (size_t at = 0; at < values.size(); at += kWidth, ++rows) {
      for (size_t a = 0; a < kWidth; ++a) {
        sums[a] += values[at + a];
        largest[a] = std::max<double>(largest[a], std::fabs(values[at + a]));
        for (size_t b = 0; b < kWidth; ++b) gram[a * kWidth + b] += values[at + a] * values[at + b];
      }
    }
  }
  EXPECT_EQ(x.rows, rows);
  for (size_t i = 0; i < gram.size(); ++i) EXPECT_NEAR(x.gram[i], gram[i], 1e-3);
  for (size_t k = 0; k < kWidth; ++k) {
    EXPECT_FLOAT_EQ(x.largest[k], static_cast<float>(largest[k]));
    EXPECT_NEAR(x.power[k], gram[k * kWidth + k], 1e-3);
    EXPECT_NEAR(x.means[k], sums[k] / static_cast<double>(rows), 1e-5);
  }
  EXPECT_EQ(x.excerpts.size(), InputStatistics::kMostExcerpts);
  const InputStatistics& r = gathered->back();
  EXPECT_EQ(r.rows, rows);
  EXPECT_EQ(r.excerpts.front().low, std::vector<float>(kWidth, 0)) << "a Relu is never below 0";
}

TEST(InputStatistics, RefuseDataThatTellsNothing) {
  const model::Model model = attention_like();
  const model::ShapeTable shapes;
  const auto message = [&](const CalibrationData& data) {
    const auto gathered = gather_input_statistics(model, {{"x", kWidth}}, Detail::kExtremes,
                                                  {shapes, kNoProgress, {}, &data});
    return gathered ? std::string("accepted") : gathered.error().message();
  };
  EXPECT_NE(message(samples(0)).find("no sample"), std::string::npos);
  CalibrationData infinite = samples(0);
  infinite.open = skip_samples([] {
    return [given = false]() mutable -> Result<std::optional<TensorMap>> {
      if (std::exchange(given, true)) return std::optional<TensorMap>();
      const std::vector<float> values(kWidth, std::numeric_limits<float>::infinity());
      return std::optional(TensorMap{{"x", make_float_tensor({1, 1, kWidth}, values)}});
    };
  });
  EXPECT_NE(message(infinite).find("x NaN or infinite"), std::string::npos);
}

TEST(Smoothing, HelpsWhereColumnsDifferAndLeavesEvenOnesAlone) {
  InputStatistics statistics;
  const auto fill = [&](const std::vector<float>& rows) {
    statistics = {4, {}, std::vector<float>(kWidth), std::vector<float>(kWidth), {}, {}};
    InputStatistics::Excerpt excerpt{rows, std::vector<float>(kWidth), std::vector<float>(kWidth)};
    for (size_t i = 0; i < rows.size(); ++i) {
      const size_t k = i % kWidth;
      statistics.power[k] += rows[i] * rows[i];
      statistics.largest[k] = std::max(statistics.largest[k], std::fabs(rows[i]));
      excerpt.low[k] = std::min(excerpt.low[k], rows[i]);
      excerpt.high[k] = std::max(excerpt.high[k], rows[i]);
    }
    statistics.excerpts = {excerpt};
  };
  const auto weights = random_floats(kWidth * 20, 3);
  fill(uneven(4 * kWidth, 4));
  const Smoothing uneven_columns = choose_smoothing(statistics, {weights});
  ASSERT_EQ(uneven_columns.divisors.size(), static_cast<size_t>(kWidth));
  EXPECT_LT(uneven_columns.noise, 0.3 * uneven_columns.noise_without);
  EXPECT_GT(uneven_columns.divisors[0], 4 * uneven_columns.divisors[1]);
  fill(std::vector<float>(4 * kWidth, 1));
  EXPECT_TRUE(choose_smoothing(statistics, {std::vector<float>(kWidth * 20, 1)}).divisors.empty());
}

TEST(SmoothInputs, ChangesNoOutputAndFindsConstantsToHoldTheDivisors) {
  const model::Model original = attention_like();
  model::Model model = model::clone(original);
  const CalibrationData data = samples(20);
  const auto shapes = shapes_of(model);
  const auto outcome = smooth_inputs(model, {shapes, kNoProgress, {}, &data});
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  ASSERT_TRUE(model::verify(model).has_value());
  EXPECT_LT(error_between(original, model), 1e-6);
  // The normalization and the values' projection hold theirs; r is read by the last Add as well.
  EXPECT_EQ(count_decisions(outcome->outcome, "smooth", "in constants that make it"), 2);
  EXPECT_EQ(count_decisions(outcome->outcome, "smooth", "in a Mul"), 1);
  const auto muls = std::count_if(model.graph.nodes.begin(), model.graph.nodes.end(),
                                  [](const model::Node& node) { return node.is("Mul"); });
  EXPECT_EQ(muls, 1);
}

TEST(SmoothInputs, LeavesConstantsAloneThatOthersNeed) {
  model::Model original = attention_like();
  original.graph.outputs.push_back(make_value("n", DataType::kFloat, {1, -1, kWidth}));
  original.graph.outputs.push_back(make_value("v1", DataType::kFloat, {1, -1, kWidth}));
  model::Model model = model::clone(original);
  const CalibrationData data = samples(20);
  const auto shapes = shapes_of(model);
  const auto outcome = smooth_inputs(model, {shapes, kNoProgress, {}, &data});
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_LT(error_between(original, model), 1e-6);
  EXPECT_EQ(count_decisions(outcome->outcome, "smooth", "in a Mul"), 3);
}

TEST(SmoothInputs, KnowsWhatMatricesMultiplyAfterwards) {
  model::Model model = attention_like();
  const CalibrationData data = samples(20);
  const auto shapes = shapes_of(model);
  const MethodContext context{shapes, kNoProgress, {}, &data};
  const auto smoothed = smooth_inputs(model, context, Detail::kGram);
  ASSERT_TRUE(smoothed.has_value()) << smoothed.error().to_string();
  ASSERT_EQ(smoothed->statistics.size(), 3u);
  // The smoothed model rounds otherwise, also in front of a Softmax.
  const auto expect_near = [](const std::vector<float>& found, const std::vector<float>& wanted) {
    ASSERT_EQ(found.size(), wanted.size());
    float largest = 0;
    for (const float x : wanted) largest = std::max(largest, std::fabs(x));
    for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], wanted[i], 1e-4 * largest) << i;
  };
  for (const auto& [name, known] : smoothed->statistics) {
    const auto gathered =
        gather_input_statistics(model, {{name, known.means.size()}}, Detail::kGram, context);
    ASSERT_TRUE(gathered.has_value()) << gathered.error().to_string();
    const InputStatistics& wanted = gathered->front();
    EXPECT_EQ(known.rows, wanted.rows) << name;
    expect_near(known.means, wanted.means);
    expect_near(known.power, wanted.power);
    expect_near(known.largest, wanted.largest);
    expect_near(known.gram, wanted.gram);
    expect_near(rows_of_excerpts(known), rows_of_excerpts(wanted));
    ASSERT_EQ(known.excerpts.size(), wanted.excerpts.size());
    expect_near(known.excerpts[0].low, wanted.excerpts[0].low);
    expect_near(known.excerpts[0].high, wanted.excerpts[0].high);
  }
  EXPECT_TRUE(smooth_inputs(model, context)->statistics.empty());
}

TEST(SmoothInputs, TakesNoNodeForLittle) {
  for (const bool is_worth : {false, true}) {
    model::Model model = attention_like();
    const auto shapes = shapes_of(model);
    const CalibrationData data = samples(20);
    const auto outcome =
        divide_inputs(model, {shapes, kNoProgress, {}, &data}, {"smooth", "smooth_inputs"},
                      [&](const InputStatistics&, const std::vector<Floats>&) {
                        return ChosenDivisors{std::vector<float>(kWidth, 2), "by two", is_worth};
                      });
    ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
    EXPECT_LT(error_between(attention_like(), model), 1e-6);
    EXPECT_EQ(count_decisions(outcome->outcome, "smooth", "in constants that make it"), 2);
    EXPECT_EQ(count_decisions(outcome->outcome, "smooth", "in a Mul"), is_worth ? 1 : 0);
    EXPECT_EQ(count_decisions(outcome->outcome, "leave_undivided", "not worth"), is_worth ? 0 : 1);
  }
}

class CalibratedMethod : public ::testing::TestWithParam<const char*> {};

TEST_P(CalibratedMethod, ErrsLessThanWithoutDataAndSaysWhy) {
  const model::Model original = attention_like();
  const auto shapes = shapes_of(original);
  const CalibrationData data = samples(100);
  const auto* row = *find_method(GetParam());
  const auto quantize = [&](const CalibrationData* calibration) {
    model::Model model = model::clone(original);
    auto outcome = row->run(model, {shapes, kNoProgress, {}, calibration});
    EXPECT_TRUE(outcome.has_value()) << outcome.error().to_string();
    EXPECT_TRUE(model::verify(model).has_value());
    EXPECT_EQ(count_decisions(*outcome, "round_by_inputs"), calibration ? 5 : 0);
    EXPECT_EQ(outcome->layers.size(), 5u);
    return model;
  };
  EXPECT_LT(error_between(original, quantize(&data)),
            0.7 * error_between(original, quantize(nullptr)));
}

TEST_P(CalibratedMethod, GivesTheSameTwice) {
  const model::Model original = attention_like();
  const auto shapes = shapes_of(original);
  const CalibrationData data = samples(30);
  const auto quantize = [&] {
    model::Model model = model::clone(original);
    EXPECT_TRUE(
        (*find_method(GetParam()))->run(model, {shapes, kNoProgress, {}, &data}).has_value());
    return model;
  };
  const model::Model first = quantize();
  const model::Model second = quantize();
  ASSERT_EQ(first.graph.initializers.size(), second.graph.initializers.size());
  for (size_t i = 0; i < first.graph.initializers.size(); ++i) {
    const auto a = first.graph.initializers[i].data.view();
    const auto b = second.graph.initializers[i].data.view();
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end()));
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, CalibratedMethod, ::testing::Values("dynamic", "int4"));

TEST(Dynamic, RoundsPairsWithinTheirLimitAndAddsBiasesInTheProduct) {
  model::Model model = attention_like();
  const auto shapes = shapes_of(model);
  const CalibrationData data = samples(30);
  ASSERT_TRUE((*find_method("dynamic"))->run(model, {shapes, kNoProgress, {}, &data}).has_value());
  int matrices = 0;
  for (const model::Constant& constant : model.graph.initializers) {
    if (constant.type != DataType::kInt8) continue;
    ++matrices;
    const Tensor tensor = constant.tensor();
    EXPECT_EQ(count_unsafe_pairs(tensor.values<int8_t>(), kWidth, kWidth), 0) << constant.name;
  }
  EXPECT_EQ(matrices, 5);
  const auto adds = std::count_if(model.graph.nodes.begin(), model.graph.nodes.end(),
                                  [](const model::Node& node) { return node.is("Add"); });
  EXPECT_EQ(adds, 1) << "the sum of two values is no bias";
}

}  // namespace
}  // namespace wattwise::quantize
