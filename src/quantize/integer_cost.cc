// SPDX-License-Identifier: Apache-2.0
// Measured with ONNX Runtime 1.32 on one core with AVX-512, from profiles of convolutional models
// in float (blocked layout) and in 8 bits (channels last).
#include "quantize/integer_cost.h"

#include <array>

namespace wattwise::quantize {
namespace {

/// ns a multiplication, ns an output, and ns a call.
struct Rate {
  double multiplication;
  double output;
  double call;
  double of(const StepWork& work) const {
    return multiplication * work.multiplications + output * work.outputs + call;
  }
};

struct CostRow {
  std::string_view op;
  Rate float_rate;
  Rate integer_rate;
};

constexpr CostRow kDenseConvolution = {"Conv", {0.0085, 0.05, 1500}, {0.0019, 0.1, 3000}};
constexpr CostRow kDepthwiseConvolution = {"Conv", {0.011, 0.15, 1500}, {0.015, 0.09, 2000}};
constexpr CostRow kElementwise = {"", {0, 0.08, 1000}, {0, 0.19, 1500}};

constexpr std::array kCostRows = {
    CostRow{"HardSigmoid", {0, 0.03, 0}, {0, 0.03, 1000}},
    CostRow{"BatchNormalization", {0, 0.1, 1000}, {}},
    CostRow{"Relu", {0, 0.01, 0}, {0, 0.03, 1500}},
    CostRow{"Clip", {0, 0.01, 0}, {0, 0.03, 1500}},
    CostRow{"Sigmoid", {0, 0.4, 1000}, {0, 0.3, 1500}},
    CostRow{"AveragePool", {0, 0.06, 1000}, {0, 0.8, 1500}},
    CostRow{"GlobalAveragePool", {0, 0.05, 1000}, {0, 0.05, 1500}},
    CostRow{"Reshape", {0, 0.03, 1000}, {0, 0.01, 1000}},
    CostRow{"Flatten", {0, 0.03, 1000}, {0, 0.01, 1000}},
    CostRow{"Squeeze", {0, 0.03, 1000}, {0, 0.01, 1000}},
    CostRow{"Unsqueeze", {0, 0.03, 1000}, {0, 0.01, 1000}},
};

}  // namespace

StepCost step_cost(std::string_view op, const StepWork& work) {
  const CostRow* found = &kElementwise;
  for (const CostRow& row : kCostRows) {
    if (row.op == op) found = &row;
  }
  if (op == "Conv") found = work.depthwise ? &kDepthwiseConvolution : &kDenseConvolution;
  return {found->float_rate.of(work), found->integer_rate.of(work)};
}

double quantize_ns(double elements) { return 2000 + 0.2 * elements; }
double dequantize_ns(double elements) { return 2000 + 0.3 * elements; }

}  // namespace wattwise::quantize
