// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/temporary_folder.h"
#include "engine/hollow.h"
#include "engine/observe_shapes.h"
#include "engine/session.h"
#include "model/graph_edit.h"
#include "model/walk.h"

namespace wattwise::engine {
namespace {

/// What a file says of shapes besides its inputs may be wrong; only the runtime's word counts.
void drop_claims(model::Graph& graph) {
  for (model::Value& output : graph.outputs) output.shape.reset();
  graph.value_info.clear();
}

void bind_inputs(model::Graph& graph, const std::map<std::string, int64_t>& dimensions) {
  for (model::Value& input : graph.inputs) {
    if (!input.shape) continue;
    for (size_t axis = 0; axis < input.shape->size(); ++axis) {
      model::Dimension& dimension = (*input.shape)[axis];
      if (dimension.value) continue;
      auto found = dimensions.find(fmt::format("{}:{}", input.name, axis));
      if (found == dimensions.end()) found = dimensions.find(dimension.name);
      dimension.value = found == dimensions.end() ? 1 : found->second;
    }
  }
  drop_claims(graph);
}

void collect_constants(const model::Graph& graph, model::ShapeTable& table) {
  for (const model::Constant& constant : graph.initializers) {
    // The default of an input may be fed with another shape.
    if (is_fed(graph, constant)) continue;
    table[constant.name] = {constant.type, constant.shape};
  }
  for (const model::Node& node : graph.nodes) {
    const auto* value =
        node.is("Constant") && !node.attributes.empty()
            ? std::get_if<std::shared_ptr<model::Constant>>(&node.attributes[0].value)
            : nullptr;
    if (value) table[node.outputs[0]] = {(*value)->type, (*value)->shape};
  }
}

/// Graphs that do not see each other may use a name for different values; a table has room for one.
void drop_ambiguous(const model::Graph& main, model::ShapeTable& table) {
  std::map<std::string, int> definitions;
  model::for_each_graph(main, [&](const model::Graph& graph, const std::string&) {
    for (const model::Value& input : graph.inputs) ++definitions[input.name];
    for (const model::Constant& constant : graph.initializers) {
      if (!is_fed(graph, constant)) ++definitions[constant.name];
    }
    for (const model::Node& node : graph.nodes) {
      for (const std::string& output : node.outputs) ++definitions[output];
    }
  });
  std::erase_if(table, [&](const auto& entry) {
    const auto it = definitions.find(entry.first);
    return it != definitions.end() && it->second > 1;
  });
}

/// Opens the model without optimization and reads back what the runtime wrote about its values.
Result<model::ShapeTable> infer(const std::shared_ptr<Runtime>& runtime, Env& env,
                                const model::Model& model, const std::string& folder) {
  SessionOptions options;
  options.optimization = GraphOptimization::kDisabled;
  options.prepack = false;
  options.optimized_model_path = join_path(folder, "inferred.onnx");
  WATTWISE_TRY(open_session(runtime, env, model, "the model", options));
  return read_declared(env, *options.optimized_model_path);
}

/// Makes the runtime write what it inferred: it does so for the values that a file mentions, here
/// all by name only, and for graphs that it changed, here by the casts that a half-precision node
/// needs on a CPU. Without such a change it hands the file back as it was.
void ask_for_values(model::Graph& graph, int index) {
  std::set<std::string> mentioned = {""};
  for (const model::Value& output : graph.outputs) mentioned.insert(output.name);
  for (const model::Value& value : graph.value_info) mentioned.insert(value.name);
  for (const model::Node& node : graph.nodes) {
    for (const std::string& name : node.outputs) {
      if (!mentioned.insert(name).second) continue;
      model::Value value;
      value.name = name;
      graph.value_info.push_back(std::move(value));
    }
  }
  model::Constant half;
  half.type = DataType::kFloat16;
  half.shape = {1};
  half.data = Bytes::own(std::vector<std::byte>(2));
  model::Node constant;
  constant.op_type = "Constant";
  constant.outputs = {fmt::format("wattwise_half_{}", index)};
  constant.set_attribute("value", std::make_shared<model::Constant>(std::move(half)));
  model::Node user;
  user.op_type = "Elu";
  user.inputs = constant.outputs;
  user.outputs = {fmt::format("wattwise_used_{}", index)};
  graph.nodes.push_back(std::move(constant));
  graph.nodes.push_back(std::move(user));
}

struct Hollowed {
  const model::Model& hollow;
  const model::Model& whole;
};

/// Some operators want their weights constant; then the weights stay in.
Result<model::ShapeTable> infer_either(const std::shared_ptr<Runtime>& runtime, Env& env,
                                       const Hollowed& model, const std::string& folder) {
  auto table = infer(runtime, env, model.hollow, folder);
  // One that is larger than the memory is neither written out nor run, not even with zeros.
  if (table || model.whole.store) return table;
  return infer(runtime, env, model.whole, folder);
}

/// True if some node makes a value whose size is not known.
bool leaves_open(const model::Graph& graph, const model::ShapeTable& table) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const model::Node& node) {
    return std::any_of(node.outputs.begin(), node.outputs.end(), [&](const std::string& name) {
      const auto it = table.find(name);
      if (name.empty() || (node.is("Constant") && it == table.end())) return false;
      if (it == table.end()) return true;
      const auto& shape = it->second.shape;
      return std::find(shape.begin(), shape.end(), -1) != shape.end();
    });
  });
}

/// Claims what is known of the values that the nodes of the main graph make.
void claim(const model::ShapeTable& known, model::Graph& graph) {
  const auto claimed = [&](const std::string& name) -> std::optional<model::Value> {
    const auto it = known.find(name);
    if (it == known.end() || it->second.type == DataType::kUndefined) return std::nullopt;
    const auto& shape = it->second.shape;
    if (std::find(shape.begin(), shape.end(), -1) != shape.end()) return std::nullopt;
    return sized_value(name, it->second.type, shape);
  };
  std::set<std::string> outputs;
  for (model::Value& output : graph.outputs) {
    outputs.insert(output.name);
    if (auto value = claimed(output.name)) output.shape = std::move(value->shape);
  }
  for (const model::Node& node : graph.nodes) {
    if (node.is("Constant")) continue;
    for (const std::string& name : node.outputs) {
      if (outputs.contains(name)) continue;
      if (auto value = claimed(name)) graph.value_info.push_back(std::move(*value));
    }
  }
}

struct Bound {
  const model::Model& given;
  const InputGuess& guess;
  const model::ShapeTable* known;  ///< null: nothing
};

bool has_inner_graphs(const model::Model& model) {
  int count = 0;
  model::for_each_graph(model.graph, [&](const model::Graph&, const std::string&) { ++count; });
  return count > 1;
}

/// The model with sizes for its inputs, and nothing else that it says of shapes. Where graphs lie
/// in graphs only a run tells all, and nothing is asked for unless there will be none.
model::Model bind(const Bound& how) {
  model::Model bound = model::clone(how.given);
  bind_inputs(bound.graph, how.guess.dimensions);
  if (!how.given.store && has_inner_graphs(how.given)) return bound;
  if (how.known) claim(*how.known, bound.graph);
  int index = 0;
  model::for_each_graph(bound.graph, [&](model::Graph& graph, const std::string&) {
    ask_for_values(graph, index++);
  });
  return bound;
}

/// Adds what one run shows. A model that does not run on made-up inputs keeps its open shapes.
void observe(ShapeProbe& probe, const InputGuess& guess, model::ShapeTable& table) {
  auto observed = probe.observed(guess);
  if (!observed) return;
  for (auto& [name, value] : *observed) table[name] = std::move(value);
}

/// What one session infers. Inference stops at shapes that are computed from values; one run with
/// zeros for weights shows them.
Result<model::ShapeTable> probe_shapes(const std::shared_ptr<Runtime>& runtime, Env& env,
                                       const Bound& how, const std::string& folder) {
  auto probe = WATTWISE_TRY(ShapeProbe::open(runtime, env, bind(how), folder));
  auto table = WATTWISE_TRY(probe.inferred());
  if (leaves_open(how.given.graph, table)) observe(probe, how.guess, table);
  return table;
}

/// The same for models that are not to be run, or of which some operator wants its weights.
Result<model::ShapeTable> infer_bound(const std::shared_ptr<Runtime>& runtime, Env& env,
                                      const Bound& how, const std::string& folder) {
  const model::Model bound = bind(how);
  auto table = infer_either(runtime, env, {make_hollow(bound), bound}, folder);
  if (table) return table;
  // Branches that are not taken may not fit sizes for which the model runs all the same.
  auto free = infer_free_shapes(runtime, env, how.given);
  if (!free) return table;
  if (leaves_open(how.given.graph, *free) && !how.given.store) {
    auto probe = ShapeProbe::open(runtime, env, how.given, folder);
    if (probe) observe(*probe, how.guess, *free);
  }
  return free;
}

}  // namespace

Result<model::ShapeTable> infer_shapes(const std::shared_ptr<Runtime>& runtime, Env& env,
                                       const model::Model& model, const InputGuess& guess,
                                       const model::ShapeTable& known) {
  const auto folder = WATTWISE_TRY(TemporaryFolder::create(env));
  // One that is larger than the memory is not run: what inference tells must do.
  std::optional<model::ShapeTable> table;
  std::vector<Bound> tries = {{model, guess, &known}, {model, guess, nullptr}};
  if (known.empty()) tries.pop_back();
  for (const Bound& how : tries) {
    if (table || model.store) break;
    // What is known may not fit after all.
    if (auto probed = probe_shapes(runtime, env, how, folder->path())) table = std::move(*probed);
  }
  if (!table)
    table = WATTWISE_TRY(infer_bound(runtime, env, {model, guess, nullptr}, folder->path()));
  model::for_each_graph(model.graph, [&](const model::Graph& graph, const std::string&) {
    collect_constants(graph, *table);
  });
  return std::move(*table);
}

Result<model::ShapeTable> infer_free_shapes(const std::shared_ptr<Runtime>& runtime, Env& env,
                                            const model::Model& model) {
  const auto folder = WATTWISE_TRY(TemporaryFolder::create(env));
  model::Model unclaimed = model::clone(model);
  int index = 0;
  model::for_each_graph(unclaimed.graph, [&](model::Graph& graph, const std::string&) {
    drop_claims(graph);
    ask_for_values(graph, index++);
  });
  const model::Model hollow = make_hollow(unclaimed);
  auto table = infer_either(runtime, env, {hollow, unclaimed}, folder->path());
  if (!table) return table;
  model::for_each_graph(model.graph, [&](const model::Graph& graph, const std::string&) {
    collect_constants(graph, *table);
  });
  drop_ambiguous(model.graph, *table);
  return table;
}

}  // namespace wattwise::engine
