// SPDX-License-Identifier: Apache-2.0
#include "quantize/integer_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "quantize/activation_grid.h"
#include "quantize/bias_correction.h"
#include "quantize/convolution_weights.h"
#include "quantize/dequantize_channels.h"

namespace wattwise::quantize {
namespace {

using optimize::make_node;

/// A value as an affine function of the bytes that hold it.
struct Rescaled {
  std::string stored;  ///< the value that the bytes were made for
  double scale = 1;
  double shift = 0;
};

/// Who holds each value of the plan.
std::map<std::string, Rescaled> read_through(const IntegerPlan& plan) {
  std::map<std::string, Rescaled> readings;
  for (const IntegerStep& step : plan.steps) {
    for (const std::string& input : step.inputs) readings.try_emplace(input, Rescaled{input});
    if (computes(step)) {
      readings[step.output] = {step.output};
      continue;
    }
    const Rescaled& before = readings.at(step.inputs[0]);
    const double scale = step.form == IntegerForm::kView ? step.view.scale : 1;
    const double shift = step.form == IntegerForm::kView ? step.view.shift : 0;
    readings[step.output] = {before.stored, before.scale * scale, before.shift * scale + shift};
  }
  return readings;
}

/// What every stored value's bytes must be able to say.
std::map<std::string, GridNeeds> needs_of(const IntegerPlan& plan,
                                          const std::map<std::string, Rescaled>& readings,
                                          const RangeTable& ranges) {
  std::map<std::string, GridNeeds> needs;
  for (const auto& [name, reading] : readings) {
    GridNeeds& need = needs[reading.stored];
    if (reading.shift != 0) need.roots.push_back(-reading.shift / reading.scale);
  }
  for (auto& [name, need] : needs) need.range = ranges.at(name);
  for (const IntegerStep& step : plan.steps) {
    if (step.form == IntegerForm::kView && std::isfinite(step.view.low)) {
      const Rescaled& reading = readings.at(step.output);
      const double root = -reading.shift / reading.scale;
      if (root != 0) needs.at(reading.stored).exact_roots.push_back(root);
    }
    if (!computes(step)) continue;
    Range& range = needs.at(step.output).range;
    range.low = static_cast<float>(std::max<double>(range.low, step.view.low));
    range.high = static_cast<float>(std::min<double>(range.high, step.view.high));
  }
  return needs;
}

class Writer {
 public:
  Writer(optimize::GraphEditor& graph, const IntegerPlan& plan, const ConvolutionRounding& rounding)
      : graph_(graph), rounding_(rounding) {
    for (const IntegerStep& step : plan.steps) {
      made_.insert(step.output);
      for (const std::string& input : step.inputs) ++reads_[input];
    }
  }

  void set_grid(const std::string& value, const Grid& grid) { grids_[value] = grid; }

  /// Prepares to write the step: what others read of it, and the bytes of values from outside.
  void take(const IntegerStep& step) {
    for (const std::string& input : step.inputs) {
      if (bytes_.contains(input)) continue;
      bytes_[input] = graph_.unique(input + "_uint8");
      graph_.add(quantize_node(input, bytes_[input], grids_.at(input)));
    }
    // The producer must be gone before another node makes the same value.
    shared_[step.output] = graph_.uses(step.output) > reads_[step.output];
    graph_.remove(*step.node);
    for (model::Node* node : step.absorbed) graph_.remove(*node);
  }

  /// The node on float readings of its inputs, its result quantized.
  void compute(const IntegerStep& step, model::Node node) {
    const std::string real = graph_.unique(step.output + "_real");
    node.outputs = {real};
    graph_.add(std::move(node));
    bytes_[step.output] = graph_.unique(step.output + "_uint8");
    graph_.add(quantize_node(real, bytes_[step.output], grids_.at(step.output)));
    publish(step.output);
  }

  /// The node on the bytes of its first input.
  void move(const IntegerStep& step, model::Node node) {
    node.inputs[0] = bytes_.at(step.inputs[0]);
    bytes_[step.output] = graph_.unique(step.output + "_uint8");
    node.outputs = {bytes_[step.output]};
    graph_.add(std::move(node));
    publish(step.output);
  }

  /// The bytes of its input, clipped where the view ends inside of them.
  void view(const IntegerStep& step) {
    const ByteBounds bounds = bytes_within(grids_.at(step.output), step.view);
    bytes_[step.output] = bytes_.at(step.inputs[0]);
    if (bounds.low > 0 || bounds.high < 255) {
      const std::string clipped = graph_.unique(step.output + "_uint8");
      model::Node clip =
          make_node("Clip", {bytes_[step.output], byte(bounds.low), byte(bounds.high)}, clipped);
      graph_.add(std::move(clip));
      bytes_[step.output] = clipped;
    }
    publish(step.output);
  }

  /// The value as float, for a kernel that is fused with the reading.
  std::string real(const std::string& value) {
    std::string& name = reals_[value];
    if (name.empty()) {
      name = graph_.unique(value + "_read");
      graph_.add(dequantize_node(value, name));
    }
    return name;
  }

  const Grid& grid(const std::string& value) const { return grids_.at(value); }

  const ConvolutionRounding& rounding() const { return rounding_; }
  /// Of the channels of a value; null if they are not known, or tell little: what lies in one
  /// channel alone, as colours do that are read where they lie, may differ from tap to tap.
  const ChannelMean* means(const std::string& value) const {
    const auto it = rounding_.means.find(value);
    return it == rounding_.means.end() || it->second.means.size() < 2 ? nullptr : &it->second;
  }

  std::string constant(const std::string& base, const Tensor& tensor) {
    return graph_.add_constant(base, tensor);
  }

 private:
  std::string byte(uint8_t value) {
    std::string& name = byte_names_[value];
    if (name.empty()) {
      name =
          constant("byte_" + std::to_string(value),
                   {DataType::kUint8, {}, Bytes::copy_of(std::span<const uint8_t>(&value, 1)), {}});
    }
    return name;
  }

  std::string scale(float value) {
    std::string& name = scale_names_[value];
    if (name.empty()) {
      name = constant("activation_scale", make_float_tensor({}, std::span<const float>(&value, 1)));
    }
    return name;
  }

  model::Node quantize_node(const std::string& from, const std::string& to, const Grid& grid) {
    return make_node("QuantizeLinear", {from, scale(grid.scale), byte(grid.zero)}, to);
  }

  model::Node dequantize_node(const std::string& value, const std::string& to) {
    const Grid& grid = grids_.at(value);
    return make_node("DequantizeLinear", {bytes_.at(value), scale(grid.scale), byte(grid.zero)},
                     to);
  }

  /// Operators outside of the plan read the value under its own name.
  void publish(const std::string& value) {
    if (shared_.at(value)) graph_.add(dequantize_node(value, value));
  }

  optimize::GraphEditor& graph_;
  const ConvolutionRounding& rounding_;
  std::set<std::string> made_;
  std::map<std::string, int> reads_;  ///< by steps of the plan
  std::map<std::string, bool> shared_;
  std::map<std::string, Grid> grids_;
  std::map<std::string, std::string> bytes_;  ///< value -> the uint8 value that holds it
  std::map<std::string, std::string> reals_;
  std::map<uint8_t, std::string> byte_names_;
  std::map<float, std::string> scale_names_;
};

ConvolutionMeans convolution_means(const ChannelMean* mean, const model::Node& node,
                                   const model::Constant& weights) {
  if (!mean) return {};
  return {mean->means, mean->squares,
          tap_shares(node, std::span(weights.shape).subspan(2), mean->sizes)};
}

LayerQuantization write_convolution(Writer& writer, optimize::GraphEditor& graph,
                                    const IntegerStep& step, model::Node node) {
  const std::string weights_name = node.inputs[1];
  const model::Constant& weights = *graph.constant(weights_name);
  const bool biased = node.inputs.size() > 2 && !node.inputs[2].empty();
  const Grid& input = writer.grid(step.inputs[0]);
  ConvolutionShape shape = convolution_shape(weights, node.int_or("group", 1));
  if (writer.rounding().range == WeightRange::kFull) shape.paired = false;
  shape.choice = writer.rounding().choice;
  shape.one_scale = writer.rounding().one_scale;
  const ChannelMean* means = writer.means(step.inputs[0]);
  const bool corrects = means && writer.rounding().corrects_biases;
  IntegerConvolution made = quantize_convolution(
      Floats(weights.data.view()), shape,
      biased ? optimize::float_values(*graph.constant(node.inputs[2])) : std::vector<float>(),
      {input.scale, input.offset, convolution_means(means, node, weights), corrects});
  std::vector<float> bias_scales = made.weights.scales;
  for (float& scale : bias_scales) scale *= input.scale;
  const Tensor weights_q{DataType::kInt8,
                         weights.shape,
                         Bytes::copy_of(std::span<const int8_t>(made.weights.values)),
                         {}};
  node.inputs = {writer.real(step.inputs[0]),
                 add_dequantized(graph, weights_name, {weights_q, made.weights.scales})};
  if (biased || input.offset != 0 || corrects) {
    const Tensor bias_q{DataType::kInt32,
                        {static_cast<int64_t>(made.bias.size())},
                        Bytes::copy_of(std::span<const int32_t>(made.bias)),
                        {}};
    node.inputs.push_back(add_dequantized(graph, weights_name + "_bias", {bias_q, bias_scales}));
  }
  LayerQuantization layer{node.name.empty() ? "Conv making " + step.output : node.name,
                          weights_name,
                          fmt::format("int8 per {}, uint8 activations",
                                      writer.rounding().one_scale ? "tensor" : "channel"),
                          weights.element_count(), made.weight_sqnr_db};
  tell_widened(made, layer);
  writer.compute(step, std::move(node));
  return layer;
}

}  // namespace

std::vector<LayerQuantization> write_integers(optimize::GraphEditor& graph, const IntegerPlan& plan,
                                              const RangeTable& ranges,
                                              const ConvolutionRounding& rounding) {
  const auto readings = read_through(plan);
  std::map<std::string, Grid> stored;
  for (const auto& [name, need] : needs_of(plan, readings, ranges)) {
    stored[name] = make_grid(need);
  }
  Writer writer(graph, plan, rounding);
  for (const auto& [name, reading] : readings) {
    writer.set_grid(name, read_as(stored.at(reading.stored), reading.scale, reading.shift));
  }
  std::vector<LayerQuantization> layers;
  for (const IntegerStep& step : plan.steps) {
    model::Node node = *step.node;
    writer.take(step);
    switch (step.form) {
      case IntegerForm::kConvolution:
        layers.push_back(write_convolution(writer, graph, step, std::move(node)));
        break;
      case IntegerForm::kArithmetic:
        for (std::string& input : node.inputs) input = writer.real(input);
        writer.compute(step, std::move(node));
        break;
      case IntegerForm::kMove:
        writer.move(step, std::move(node));
        break;
      case IntegerForm::kView:
        writer.view(step);
        break;
    }
  }
  return layers;
}

}  // namespace wattwise::quantize
