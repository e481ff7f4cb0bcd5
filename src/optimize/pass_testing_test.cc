// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "engine/runtime_testing.h"
#include "engine/session.h"
#include "measure/metrics.h"
#include "model/graph_edit.h"
#include "model/inspect.h"
#include "model/walk.h"
#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

/// Sums in another order differ in the last bits.
constexpr double kRounding = 2e-6;

int64_t product(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t dim : shape) count *= dim;
  return count;
}

TensorMap run(const model::Model& model, int64_t size, uint64_t seed) {
  engine::SessionOptions options;
  auto session = engine::open_session(engine::runtime_for_tests(), system_env(), model,
                                      "the test's model", options);
  EXPECT_TRUE(session.has_value()) << (session ? "" : session.error().to_string());
  if (!session) return {};
  engine::InputGuess guess;
  for (const PortInfo& port : (*session)->inputs()) {
    for (size_t axis = 0; axis < port.shape.size(); ++axis) {
      if (port.shape[axis] < 0) {
        guess.dimensions[port.name + ":" + std::to_string(axis)] = size;
      }
    }
  }
  const auto inputs = engine::make_random_inputs((*session)->inputs(), guess, seed);
  EXPECT_TRUE(inputs.has_value());
  auto outputs = (*session)->run(*inputs);
  EXPECT_TRUE(outputs.has_value()) << (outputs ? "" : outputs.error().to_string());
  return outputs ? *outputs : TensorMap();
}

std::vector<std::string> port_names(const model::Model& model) {
  std::vector<std::string> names;
  for (const PortInfo& port : model::input_ports(model)) names.push_back(port.name);
  for (const PortInfo& port : model::output_ports(model)) names.push_back(port.name);
  return names;
}

void expect_equal(const model::Model& before, const model::Model& after, double bound,
                  std::initializer_list<int64_t> sizes) {
  const auto valid = model::verify(after);
  ASSERT_TRUE(valid.has_value()) << valid.error().to_string();
  EXPECT_EQ(port_names(before), port_names(after));
  for (const int64_t size : sizes) {
    for (const uint64_t seed : {1, 2}) {
      const auto compared =
          measure::compare_outputs(run(before, size, seed), run(after, size, seed));
      ASSERT_TRUE(compared.has_value()) << compared.error().to_string();
      for (const OutputAccuracy& output : *compared) {
        EXPECT_LE(output.max_relative_error, bound + kRounding) << output.output;
      }
    }
  }
}

}  // namespace

ModelBuilder::ModelBuilder(int64_t opset, int64_t ir_version) {
  model_.ir_version = ir_version;
  model_.opset_imports = {{"", opset}};
  model_.graph.name = "test";
}

void ModelBuilder::input(const std::string& name, std::vector<int64_t> shape, DataType type) {
  model::Value value;
  value.name = name;
  value.type = type;
  value.shape.emplace();
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    model::Dimension dimension;
    if (shape[axis] >= 0) {
      dimension.value = shape[axis];
    } else {
      dimension.name = name + "_" + std::to_string(axis);
    }
    value.shape->push_back(std::move(dimension));
  }
  model_.graph.inputs.push_back(std::move(value));
}

void ModelBuilder::output(const std::string& name, DataType type) {
  model::Value value;
  value.name = name;
  value.type = type;
  model_.graph.outputs.push_back(std::move(value));
}

void ModelBuilder::random(const std::string& name, std::vector<int64_t> shape) {
  std::mt19937 numbers(static_cast<uint32_t>(std::hash<std::string>()(name)));
  std::vector<float> values(static_cast<size_t>(product(shape)));
  for (float& value : values) {
    value = (static_cast<float>(numbers() % 20001) - 10000) / 10000;
  }
  floats(name, std::move(shape), std::move(values));
}

void ModelBuilder::floats(const std::string& name, std::vector<int64_t> shape,
                          std::vector<float> values) {
  model_.graph.initializers.push_back(model::make_float_constant(name, std::move(shape), values));
}

void ModelBuilder::integers(const std::string& name, std::vector<int64_t> shape,
                            std::vector<int64_t> values) {
  model_.graph.initializers.push_back(model::make_int64_constant(name, std::move(shape), values));
}

model::Node& ModelBuilder::node(const std::string& op, std::vector<std::string> inputs,
                                const std::string& output, Attributes attributes) {
  model::Node made;
  made.name = output + "_" + op;
  made.op_type = op;
  made.inputs = std::move(inputs);
  made.outputs = {output};
  for (auto& [name, value] : attributes) made.set_attribute(name, std::move(value));
  model_.graph.nodes.push_back(std::move(made));
  return model_.graph.nodes.back();
}

void as_constant_nodes(model::Graph& graph) {
  std::vector<model::Node> nodes;
  for (model::Constant& constant : graph.initializers) {
    model::Node node;
    node.op_type = "Constant";
    node.outputs = {constant.name};
    node.set_attribute("value", std::make_shared<model::Constant>(std::move(constant)));
    nodes.push_back(std::move(node));
  }
  graph.initializers.clear();
  for (model::Node& node : graph.nodes) nodes.push_back(std::move(node));
  graph.nodes = std::move(nodes);
}

int64_t count_nodes(const model::Model& model, std::string_view op) {
  int64_t count = 0;
  model::for_each_graph(model.graph, [&](const model::Graph& graph, const std::string&) {
    count += std::count_if(graph.nodes.begin(), graph.nodes.end(),
                           [&](const model::Node& node) { return node.op_type == op; });
  });
  return count;
}

PassResult run_pass(std::string_view name, const model::Model& model,
                    std::initializer_list<int64_t> sizes, TargetFacts target) {
  PassResult result{model::clone(model), {}};
  const PassContext context(engine::runtime_for_tests(), system_env(), target);
  for (const PassRow& row : pass_table()) {
    if (row.name != name) continue;
    auto outcome = row.run(result.model, context);
    EXPECT_TRUE(outcome.has_value()) << (outcome ? "" : outcome.error().to_string());
    if (outcome) result.outcome = std::move(*outcome);
    expect_equal(model, result.model, row.max_error, sizes);
    return result;
  }
  ADD_FAILURE() << "there is no pass " << name;
  return result;
}

PassResult run_all_passes(const model::Model& model, std::initializer_list<int64_t> sizes,
                          TargetFacts target) {
  PassResult result{model::clone(model), {}};
  PassContext context(engine::runtime_for_tests(), system_env(), target);
  const auto report = optimize(result.model, context, {});
  EXPECT_TRUE(report.has_value()) << (report ? "" : report.error().to_string());
  double bound = 0;
  for (const PassRow& row : pass_table()) bound = std::max(bound, row.max_error);
  for (size_t i = 0; report && i < report->passes.size(); ++i) {
    result.outcome.changed += report->passes[i].changed;
  }
  expect_equal(model, result.model, bound, sizes);
  return result;
}

TEST(PassTable, EveryPassAloneAndAllTogetherKeepAConvolutionAsItWas) {
  ModelBuilder b(13);
  b.input("x", {1, 8, -1});
  b.random("w", {8, 8, 3});
  b.node("Conv", {"x", "w"}, "h", {{"pads", std::vector<int64_t>{1, 1}}});
  b.node("Identity", {"h"}, "i");
  b.node("Relu", {"i"}, "y");
  b.output("y");
  as_constant_nodes(b.model().graph);
  for (const PassRow& row : pass_table()) run_pass(row.name, b.model(), {4, 7});
  const auto all = run_all_passes(b.model(), {4, 7});
  EXPECT_EQ(count_nodes(all.model, "Identity"), 0);
  EXPECT_EQ(count_nodes(all.model, "Constant"), 0);
}

}  // namespace wattwise::optimize::testing
