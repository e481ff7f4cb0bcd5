// SPDX-License-Identifier: Apache-2.0
#include "engine/channel_block.h"

#include <array>

#include "engine/session.h"

namespace wattwise::engine {
namespace {

constexpr const char* kLayoutDomain = "com.microsoft.nchwc";
/// The fewest channels that can be reordered.
constexpr int64_t kChannels = 4;

/// x[1, 4, 1, 1] -> ReorderInput -> y[1, block, 1, 1]: the node with which the runtime's optimizer
/// enters the layout. The domain is registered only where there is one.
model::Model make_probe() {
  model::Model probe;
  probe.ir_version = 8;
  probe.opset_imports = {{"", 13}, {kLayoutDomain, 1}};
  model::Graph& graph = probe.graph;
  graph.name = "probe";
  model::Value value;
  value.name = "y";
  value.type = DataType::kFloat;
  graph.outputs.push_back(value);
  value.name = "x";
  value.shape.emplace();
  for (const int64_t size : {int64_t{1}, kChannels, int64_t{1}, int64_t{1}}) {
    value.shape->emplace_back();
    value.shape->back().value = size;
  }
  graph.inputs.push_back(std::move(value));
  model::Node node;
  node.op_type = "ReorderInput";
  node.domain = kLayoutDomain;
  node.inputs = {"x"};
  node.outputs = {"y"};
  graph.nodes.push_back(std::move(node));
  return probe;
}

}  // namespace

int64_t cpu_channel_block(const std::shared_ptr<Runtime>& runtime, Env& env) {
  const model::Model probe = make_probe();
  const auto session = open_session(runtime, env, probe, "the layout probe", SessionOptions());
  if (!session) return 0;
  const std::array<float, kChannels> zeros{};
  const model::Constant x = model::make_float_constant("x", {1, kChannels, 1, 1}, zeros);
  const auto outputs = (*session)->run({{"x", x.tensor()}});
  return outputs ? outputs->at("y").shape.at(1) : 0;
}

}  // namespace wattwise::engine
