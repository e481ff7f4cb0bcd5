// SPDX-License-Identifier: Apache-2.0
#include "quantize/dequantize_channels.h"

#include <utility>

namespace wattwise::quantize {

std::string add_dequantized(optimize::GraphEditor& graph, const std::string& base,
                            const ChannelIntegers& integers) {
  const auto& [values, all_scales, axis, one_scale] = integers;
  std::string name = graph.unique(base + "_read");
  const std::span<const float> scales =
      std::span(all_scales).first(one_scale ? 1 : all_scales.size());
  const std::vector<int64_t> shape =
      one_scale ? std::vector<int64_t>{}
                : std::vector<int64_t>{static_cast<int64_t>(scales.size())};
  std::vector<std::string> inputs = {
      graph.add_constant(base + "_q", values),
      graph.add_constant(base + "_scale", make_float_tensor(shape, scales))};
  if (values.type == DataType::kInt8) {
    const std::vector<int8_t> zeros(scales.size());
    inputs.push_back(graph.add_constant(
        base + "_zero", {values.type, shape, Bytes::copy_of(std::span(zeros)), {}}));
  }
  model::Node node = optimize::make_node("DequantizeLinear", std::move(inputs), name);
  if (!one_scale) node.set_attribute("axis", axis);
  graph.add(std::move(node));
  return name;
}

}  // namespace wattwise::quantize
