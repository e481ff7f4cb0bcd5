// SPDX-License-Identifier: Apache-2.0
#include "engine/observe_shapes.h"

#include <fmt/format.h>

#include "core/json.h"
#include "core/text.h"
#include "engine/hollow.h"
#include "model/load.h"
#include "model/walk.h"

namespace wattwise::engine {
namespace {

constexpr std::string_view kKernelSuffix = "_kernel_time";

DataType type_of(const std::string& name) {
  for (int32_t i = 0; i <= static_cast<int32_t>(DataType::kFloat4E2M1); ++i) {
    if (data_type_name(static_cast<DataType>(i)) == name) return static_cast<DataType>(i);
  }
  return DataType::kUndefined;
}

/// Gives every node a name of its own and returns what each one makes.
NodeOutputs name_nodes(model::Graph& main) {
  NodeOutputs outputs;
  model::for_each_graph(main, [&](model::Graph& graph, const std::string&) {
    for (model::Node& node : graph.nodes) {
      node.name = "node" + std::to_string(outputs.size());
      outputs[node.name] = node.outputs;
    }
  });
  return outputs;
}

/// What stands between `before` and the next `after`; empty if they are not there.
std::string_view between(std::string_view line, std::string_view before, std::string_view after) {
  const size_t begin = line.find(before);
  if (begin == std::string_view::npos) return {};
  line.remove_prefix(begin + before.size());
  const size_t end = line.find(after);
  return end == std::string_view::npos ? std::string_view() : line.substr(0, end);
}

/// One event of the profile, which is a line of it: the shapes of what a node made, as in
/// `"output_type_shape" : [{"float":[1,2]},{"int64":[]}]`. Of all else in it nothing is parsed.
void read_event(std::string_view line, const NodeOutputs& nodes, model::ShapeTable& table) {
  const auto node = nodes.find(between(line, R"("name" :")", kKernelSuffix));
  if (node == nodes.end()) return;
  const std::string_view listed = between(line, R"("output_type_shape" : [)", "}]");
  if (listed.empty()) return;
  const auto shapes = parse_json(fmt::format("[{}}}]", listed), "a profile");
  if (!shapes) return;
  for (size_t i = 0; i < shapes->size() && i < node->second.size(); ++i) {
    for (const auto& [type, shape] : (*shapes)[i].items()) {
      table[node->second[i]] = {type_of(type), shape.get<std::vector<int64_t>>()};
    }
  }
}

void collect_declared(const std::vector<model::Value>& values, model::ShapeTable& table) {
  for (const model::Value& value : values) {
    if (!value.shape) continue;
    model::ValueShape entry{value.type, {}};
    for (const auto& dimension : *value.shape) entry.shape.push_back(dimension.value.value_or(-1));
    table.emplace(value.name, std::move(entry));
  }
}

}  // namespace

Result<model::ShapeTable> read_declared(Env& env, const std::string& path) {
  const auto model = WATTWISE_TRY(model::load(env, path));
  model::ShapeTable table;
  model::for_each_graph(model.graph, [&](const model::Graph& graph, const std::string&) {
    collect_declared(graph.inputs, table);
    collect_declared(graph.value_info, table);
    collect_declared(graph.outputs, table);
  });
  return table;
}

Result<ShapeProbe> ShapeProbe::open(const std::shared_ptr<Runtime>& runtime, Env& env,
                                    const model::Model& model, const std::string& folder) {
  ShapeProbe probe(env, join_path(folder, "inferred.onnx"));
  FedModel fed = WATTWISE_TRY(feed_zeros(model));
  probe.nodes_ = name_nodes(fed.model.graph);
  probe.zeros_ = std::move(fed.zeros);
  SessionOptions options;
  options.optimization = GraphOptimization::kDisabled;
  options.prepack = false;
  options.optimized_model_path = probe.path_;
  options.profile_prefix = join_path(folder, "profile");
  probe.session_ = WATTWISE_TRY(open_session(runtime, env, fed.model, "the model", options));
  return probe;
}

Result<model::ShapeTable> ShapeProbe::inferred() const { return read_declared(env_, path_); }

Result<model::ShapeTable> ShapeProbe::observed(const InputGuess& guess) {
  std::vector<PortInfo> ports = session_->inputs();
  std::erase_if(ports, [&](const PortInfo& port) { return zeros_.contains(port.name); });
  TensorMap inputs = WATTWISE_TRY(make_random_inputs(ports, guess, 1));
  inputs.insert(zeros_.begin(), zeros_.end());
  WATTWISE_TRY(session_->run(inputs));
  const std::string path = WATTWISE_TRY(session_->end_profiling());
  const std::string text = WATTWISE_TRY(env_.read_file(path));
  model::ShapeTable table;
  for (const std::string& line : split(text, '\n')) read_event(line, nodes_, table);
  return table;
}

}  // namespace wattwise::engine
