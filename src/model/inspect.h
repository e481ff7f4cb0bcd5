// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/graph.h"
#include "wattwise/result.h"

namespace wattwise::model {

/// Cost of one node for one inference.
struct NodeCost {
  std::string name;  ///< node name, or "<op>_<position>" for an unnamed one
  std::string op_type;
  std::string graph;            ///< path of the graph it is in; "" for the main one
  std::optional<int64_t> macs;  ///< multiply-accumulates; absent where a shape is unknown
  int64_t parameters = 0;
  int64_t weight_bytes = 0;
  std::optional<int64_t> activation_bytes;   ///< inputs and outputs that are no constants
  DataType compute_type = DataType::kFloat;  ///< type in which the multiplications are done
};

/// What a model is, costs and wants.
struct Inspection {
  std::string model_type;  ///< text, vision, audio or llm
  std::string model_type_reason;
  int64_t node_count = 0;
  int64_t graph_count = 0;
  int64_t parameters = 0;
  int64_t weight_bytes = 0;
  int64_t macs = 0;                 ///< sum over nodes whose shapes are known
  int64_t nodes_without_shape = 0;  ///< nodes that multiply but whose shapes are unknown
  int64_t nodes_in_loops = 0;       ///< nodes that multiply in a Loop or Scan: counted once
  int64_t activation_bytes = 0;
  std::vector<NodeCost> nodes;  ///< in graph order, inner graphs after their node
};

/// Costs per node. `shapes` is what the runtime inferred, with input dimensions bound; of an If
/// the dearer branch counts in the totals. What a loop repeats counts once, and a call of a
/// function that multiplies counts as a node without shape.
Inspection inspect(const Model& model, const ShapeTable& shapes);

/// text, vision, audio or llm, with the reason in words. From input types, ranks, operators and
/// cache inputs; names only break ties.
struct ModelTypeGuess {
  std::string type;
  std::string reason;
};
ModelTypeGuess infer_model_type(const Model& model);

/// Inputs or outputs as ports (initializer-backed inputs are optional).
std::vector<PortInfo> input_ports(const Model& model);
std::vector<PortInfo> output_ports(const Model& model);

/// kUnsupported names an input or output that is no tensor: a sequence, an optional value, a map.
Result<void> check_ports(const Model& model);

}  // namespace wattwise::model
