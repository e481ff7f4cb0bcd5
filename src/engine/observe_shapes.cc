// SPDX-License-Identifier: Apache-2.0
#include "engine/observe_shapes.h"

#include <map>

#include "core/json.h"
#include "engine/hollow.h"
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
std::map<std::string, std::vector<std::string>> name_nodes(model::Graph& main) {
  std::map<std::string, std::vector<std::string>> outputs;
  model::for_each_graph(main, [&](model::Graph& graph, const std::string&) {
    for (model::Node& node : graph.nodes) {
      node.name = "node" + std::to_string(outputs.size());
      outputs[node.name] = node.outputs;
    }
  });
  return outputs;
}

/// One event of the profile: the shapes of what a node made.
void read_event(const Json& event, const std::map<std::string, std::vector<std::string>>& nodes,
                model::ShapeTable& table) {
  std::string name = event.value("name", "");
  if (!name.ends_with(kKernelSuffix)) return;
  name.resize(name.size() - kKernelSuffix.size());
  const auto node = nodes.find(name);
  const Json arguments = event.value("args", Json::object());
  const Json shapes = arguments.value("output_type_shape", Json::array());
  if (node == nodes.end()) return;
  for (size_t i = 0; i < shapes.size() && i < node->second.size(); ++i) {
    for (const auto& [type, shape] : shapes[i].items()) {
      table[node->second[i]] = {type_of(type), shape.get<std::vector<int64_t>>()};
    }
  }
}

}  // namespace

Result<model::ShapeTable> observe_shapes(const std::shared_ptr<Runtime>& runtime, Env& env,
                                         const model::Model& model, const Observation& options) {
  FedModel fed = WATTWISE_TRY(feed_zeros(model));
  const auto nodes = name_nodes(fed.model.graph);
  SessionOptions session_options;
  session_options.optimization = GraphOptimization::kDisabled;
  session_options.prepack = false;
  session_options.profile_prefix = join_path(options.folder, "profile");
  const auto session =
      WATTWISE_TRY(open_session(runtime, env, fed.model, "the model", session_options));
  std::vector<PortInfo> ports = session->inputs();
  std::erase_if(ports, [&](const PortInfo& port) { return fed.zeros.contains(port.name); });
  TensorMap inputs = WATTWISE_TRY(make_random_inputs(ports, options.guess, 1));
  inputs.merge(fed.zeros);
  WATTWISE_TRY(session->run(inputs));
  const std::string path = WATTWISE_TRY(session->end_profiling());
  const std::string text = WATTWISE_TRY(env.read_file(path));
  const Json profile = WATTWISE_TRY(parse_json(text, path));
  model::ShapeTable table;
  for (const Json& event : profile) read_event(event, nodes, table);
  return table;
}

}  // namespace wattwise::engine
