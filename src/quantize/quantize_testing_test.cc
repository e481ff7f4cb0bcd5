// SPDX-License-Identifier: Apache-2.0
#include "quantize/quantize_testing.h"

#include <fmt/format.h>

#include <filesystem>

#include "measure/metrics.h"
#include "model/graph_edit.h"
#include "model/load.h"
#include "model/walk.h"

namespace wattwise::quantize::fixtures {
namespace {

TensorMap outputs_of(engine::Session& session, const TensorMap& inputs) {
  auto outputs = session.run(inputs);
  EXPECT_TRUE(outputs.has_value()) << outputs.error().to_string();
  return *outputs;
}

std::unique_ptr<engine::Session> open_model(const model::Model& model) {
  auto session = engine::open_session(engine::runtime_for_tests(), system_env(), model, "test", {});
  EXPECT_TRUE(session.has_value()) << session.error().to_string();
  return std::move(*session);
}

}  // namespace

TensorMap run(const model::Model& model, const TensorMap& inputs) {
  return outputs_of(*open_model(model), inputs);
}

TensorMap run(const model::Model& model, bool flag) {
  const auto session = open_model(model);
  auto inputs = engine::make_random_inputs(session->inputs(), {}, 3);
  if (inputs->contains("flag")) {
    (*inputs)["flag"] = {DataType::kBool, {}, Bytes::copy_of(std::span<const bool>(&flag, 1)), {}};
  }
  return outputs_of(*session, *inputs);
}

double cosine(const model::Model& first, const model::Model& second) {
  return cosine(run(first), run(second));
}

double cosine(const TensorMap& expected, const TensorMap& actual) {
  const auto compared = measure::compare_outputs(expected, actual);
  EXPECT_TRUE(compared.has_value());
  return compared->front().cosine;
}

int64_t count(const model::Model& model, std::string_view op_type) {
  int64_t found = 0;
  model::for_each_graph(model.graph, [&](const model::Graph& graph, const std::string&) {
    for (const model::Node& node : graph.nodes) found += node.op_type == op_type;
  });
  return found;
}

Made make(const model::Model& original, std::string_view method, const QuantizationConfig& config) {
  Made made{model::clone(original), {}};
  const auto row = find_method(method);
  EXPECT_TRUE(row.has_value());
  auto outcome = (*row)->run(made.model, {kNoShapes, kNoProgress, config});
  EXPECT_TRUE(outcome.has_value()) << outcome.error().to_string();
  made.outcome = *outcome;
  EXPECT_TRUE(model::verify(made.model).has_value());
  return made;
}

model::Model optimized(const model::Model& model) {
  const std::string path =
      (std::filesystem::temp_directory_path() /
       fmt::format("wattwise_{}.onnx",
                   testing::UnitTest::GetInstance()->current_test_info()->name()))
          .string();
  engine::SessionOptions options;
  options.optimized_model_path = path;
  options.optimization = engine::GraphOptimization::kExtended;
  EXPECT_TRUE(
      engine::open_session(engine::runtime_for_tests(), system_env(), model, "test", options)
          .has_value());
  auto loaded = model::load(system_env(), path);
  EXPECT_TRUE(loaded.has_value());
  std::filesystem::remove(path);
  return std::move(*loaded);
}

}  // namespace wattwise::quantize::fixtures
