// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "model/graph.h"
#include "wattwise/result.h"

namespace wattwise::model {

/// A deep copy of the structure; constant bytes are shared.
Graph clone(const Graph& graph);
Model clone(const Model& model);

/// Makes names that no value of the model carries yet, inner graphs included.
class NameMaker {
 public:
  explicit NameMaker(const Graph& main_graph);
  /// `base`, or `base` + "_" + a number.
  std::string unique(std::string_view base);

 private:
  std::unordered_set<std::string> taken_;
};

/// Makes every reader of `from` (inner graphs included, unless they redefine the name) read `to`.
/// Outputs of `graph` itself keep their names. Precondition: no inner graph defines `to` anew.
void replace_uses(Graph& graph, std::string_view from, std::string_view to);

/// From this IR version on an initializer need not be an input too.
inline constexpr int64_t kFirstIrWithConstants = 4;

/// Takes the initializers of the main graph out of its inputs, where they were defaults that a
/// caller could replace, and so makes them constants; returns how many went.
int64_t drop_default_inputs(Graph& graph);

/// Raises the IR version to `version` at least. When that crosses kFirstIrWithConstants, inputs
/// that only repeat an initializer of the main graph, as older files must have them, go away, which
/// makes the initializers constants; returns how many went. The inputs that a caller feeds stay.
int64_t raise_ir_version(Model& model, int64_t version);

/// Brings nodes, inner graphs included, into an order in which every value is made before it is
/// read; keeps the given order where it can. Returns whether some node moved. kCorrupt for a cycle,
/// naming one node on it; the graph with the cycle is then unchanged.
Result<bool> sort_nodes(Graph& graph);

/// Removes nodes, initializers and `Constant` nodes that nothing reads; returns how many.
int64_t remove_unused(Graph& graph);

/// Makes these values, floats, the graph's only outputs, and removes what they do not need.
void compute_only(Graph& graph, std::span<const std::string> values);

/// Gives constants, values made of constants alone, and all values that inner graphs make names of
/// a few letters, and takes the names of nodes away. Inputs and outputs keep theirs, and so do
/// those values of the main graph that depend on an input, by which models are compared. Returns
/// how many values it renamed. Does nothing to a model with annotations, which may tell of names.
int64_t shorten_names(Model& model);

/// Checks names and order: every input defined before use, no value made twice, opsets imported,
/// constants as large as their shapes say. kCorrupt with the place.
Result<void> verify(const Model& model);

}  // namespace wattwise::model
