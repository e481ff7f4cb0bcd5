// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/graph.h"
#include "optimize/graph_editor.h"
#include "quantize/ranges.h"
#include "wattwise/types.h"

namespace wattwise::quantize {

/// How an operator works on 8-bit activations in ONNX Runtime's CPU provider.
enum class IntegerForm {
  kConvolution,  ///< QLinearConv: int8 weights, int32 bias
  kArithmetic,   ///< an integer kernel of its own for one or more activations
  kMove,         ///< moves elements: works on the bytes as they are
  kView,         ///< affine and clipping: the same bytes, clipped and read with another scale
};

/// y = clip(scale * x + shift, low, high), scale > 0.
struct View {
  double scale = 1;
  double shift = 0;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

/// Where a Relu ends, or a Clip by constants (operator set 11 and later) that enclose zero, which
/// integers must be able to say; absent for any other node.
std::optional<View> clip_view(const optimize::GraphEditor& graph, const model::Node& node);

/// One operator that may work on integers, with the Relu or Clip behind it that costs nothing then,
/// because 8 bits saturate where they end.
struct IntegerStep {
  IntegerForm form;
  model::Node* node;
  std::vector<model::Node*> absorbed;
  std::vector<std::string> inputs;  ///< the activations that it reads
  std::string output;               ///< of the last absorbed node
  View view;                        ///< of kView; otherwise what was absorbed
  double float_ns = 0;              ///< estimated time in float arithmetic
  double integer_ns = 0;
};

/// The steps that gain by integers, in the order of the graph.
struct IntegerPlan {
  std::vector<IntegerStep> steps;
  std::vector<Decision> decisions;  ///< convolutions that stay in float, and why
  double ns = 0;                    ///< estimated time of all candidates, changes included
  double noise = 0;                 ///< sum over the values that it holds in integers
};

/// What holding a value in 8 bits does to the model's outputs: error over signal, squared. Values
/// that are not listed do nothing.
using NoiseTable = std::map<std::string, double>;

/// What the noise of a table costs.
struct NoisePrice {
  const NoiseTable& noise;
  double ns_per_noise;
};

/// Every operator of the main graph that has an integer form as it stands. `shapes` tells the sizes
/// that costs refer to.
std::vector<IntegerStep> read_integer_steps(optimize::GraphEditor& graph,
                                            const model::ShapeTable& shapes);

/// Which of them work on integers: those that together take least time, changes between float and
/// integers included, plus the price of the noise that they make. Solved exactly, as a
/// minimum cut, for the cost table of integer_cost.h.
IntegerPlan plan_integers(optimize::GraphEditor& graph, const model::ShapeTable& shapes,
                          const std::vector<IntegerStep>& steps, const NoisePrice& price);

/// The value whose bytes hold each value of the steps, if all steps are on integers.
std::map<std::string, std::string> holders(const std::vector<IntegerStep>& steps);

/// Convolutions and other steps that compute new bytes, rather than read old ones otherwise.
bool computes(const IntegerStep& step);

}  // namespace wattwise::quantize
