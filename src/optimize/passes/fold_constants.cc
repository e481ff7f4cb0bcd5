// SPDX-License-Identifier: Apache-2.0
// What follows from constants alone is computed once, here, by the runtime itself.
//
//   before:  Slice(W, 0:128) -> a;  Slice(W, 128:512) -> b;  Concat(b, a) -> w;  Conv(x, w)
//   after:   w = [W[128:512], W[0:128]];  Conv(x, w)
//
// Exact: the same kernels compute the same values, only earlier. Not done: random nodes, and
// results that take more room than the constants that they make unnecessary, since what is stored
// small (a cast from 8 bits, a fill, a repetition, a transposed matrix that is also read as it is)
// is computed at load anyway. One session computes all of a model's graphs, in a round as much as
// takes 128 MiB.
#include <fmt/format.h>

#include <iterator>
#include <map>
#include <memory>

#include "model/constant_store.h"
#include "model/walk.h"
#include "optimize/constant_plan.h"
#include "optimize/passes/passes.h"

namespace wattwise::optimize {
namespace {

using Results = std::map<ValueKey, Tensor>;

std::string name_of(size_t value) { return fmt::format("value_{}", value); }

/// The planned nodes as a model of their own, which gives the values that are kept.
model::Model make_model(const model::Model& model, const ConstantPlan& plan) {
  model::Model made;
  made.ir_version = std::max<int64_t>(model.ir_version, 4);  // initializers need not be inputs
  made.opset_imports = model.opset_imports;
  made.graph.name = "constants";
  const auto names = [](const std::vector<std::optional<size_t>>& values) {
    std::vector<std::string> named;
    for (const auto& value : values) named.push_back(value ? name_of(*value) : "");
    return named;
  };
  std::vector<bool> read(plan.values.size(), false);
  for (const ConstantNode& planned : plan.nodes) {
    model::Node node = *planned.node;
    node.name.clear();  // nodes of different graphs may share one
    node.inputs = names(planned.inputs);
    node.outputs = names(planned.outputs);
    made.graph.nodes.push_back(std::move(node));
    for (const auto& input : planned.inputs) {
      if (input) read[*input] = true;
    }
  }
  for (size_t i = 0; i < plan.values.size(); ++i) {
    const ConstantValue& value = plan.values[i];
    if (value.constant && read[i]) {
      made.graph.initializers.push_back(*value.constant);
      made.graph.initializers.back().name = name_of(i);
    } else if (!value.constant && value.kept) {
      model::Value output;
      output.name = name_of(i);
      made.graph.outputs.push_back(std::move(output));
    }
  }
  return made;
}

Result<Results> compute(const model::Model& model, const PassContext& context,
                        const ConstantPlan& plan) {
  const model::Model made = make_model(model, plan);
  if (made.graph.outputs.empty()) return Results();
  engine::SessionOptions options;
  options.optimization = engine::GraphOptimization::kDisabled;
  options.prepack = false;
  const auto session = WATTWISE_TRY(engine::open_session(context.runtime(), context.env(), made,
                                                         "the model's constants", options));
  const TensorMap outputs = WATTWISE_TRY(session->run({}));
  Results results;
  for (size_t i = 0; i < plan.values.size(); ++i) {
    const auto it = outputs.find(name_of(i));
    if (it != outputs.end()) results[plan.values[i].key] = it->second;
  }
  return results;
}

/// `Constant` nodes for those outputs that something reads.
std::vector<model::Node> make_constants(const ConstantPlan& plan, const ConstantNode& planned,
                                        const Results& results, model::ConstantStore* store) {
  std::vector<model::Node> nodes;
  for (const auto& output : planned.outputs) {
    if (!output || !plan.values[*output].kept) continue;
    const ValueKey& key = plan.values[*output].key;
    Tensor tensor = results.at(key);
    // The runtime's buffer would keep its session alive.
    tensor.data = store ? store->keep(tensor.data.view()) : Bytes::copy_of(tensor.data.view());
    model::Node node;
    node.op_type = "Constant";
    node.outputs = {key.second};
    node.set_attribute("value",
                       std::make_shared<model::Constant>(model::make_constant("", tensor)));
    nodes.push_back(std::move(node));
  }
  return nodes;
}

void replace(const ConstantPlan& plan, const Results& results, model::Model& model) {
  std::map<const model::Node*, const ConstantNode*> planned;
  for (const ConstantNode& node : plan.nodes) planned[node.node] = &node;
  model::for_each_graph(model.graph, [&](model::Graph& graph, const std::string&) {
    std::vector<model::Node> nodes;
    for (model::Node& node : graph.nodes) {
      const auto it = planned.find(&node);
      if (it == planned.end()) {
        nodes.push_back(std::move(node));
      } else {
        auto constants = make_constants(plan, *it->second, results, model.store.get());
        std::move(constants.begin(), constants.end(), std::back_inserter(nodes));
      }
    }
    graph.nodes = std::move(nodes);
  });
}

std::vector<Decision> explain(const ConstantPlan& plan) {
  if (plan.too_large.empty()) return {};
  return {{"refuse", "fold_constants",
           fmt::format("{} constant nodes, \"{}\" among them, stay: their results take more room "
                       "than the constants that they would make unnecessary",
                       plan.too_large.size(), plan.too_large.front()->outputs.front())}};
}

}  // namespace

Result<PassOutcome> fold_constants(model::Model& model, const PassContext& context) {
  if (plan_constants(model, {}, {}).nodes.empty()) return PassOutcome();
  const model::ShapeTable* shapes = WATTWISE_TRY(context.shapes(model));
  KnownSizes sizes;
  while (true) {
    const ConstantPlan plan = plan_constants(model, *shapes, sizes);
    if (plan.nodes.empty()) return PassOutcome{0, explain(plan)};
    auto results = compute(model, context, plan);
    if (!results) {
      return PassOutcome{0, {{"refuse", "fold_constants", results.error().to_string()}}};
    }
    for (const auto& [key, tensor] : *results) sizes[key] = tensor.data.size();
    // Sizes that inference left open are known by now.
    if (plan_constants(model, *shapes, sizes).nodes.size() < plan.nodes.size()) continue;
    replace(plan, *results, model);
    return PassOutcome{static_cast<int64_t>(plan.nodes.size()), {}};
  }
}

}  // namespace wattwise::optimize
