// SPDX-License-Identifier: Apache-2.0
#include "quantize/qdq_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "quantize/convolution_weights.h"
#include "quantize/dequantize_channels.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

using optimize::make_node;

/// x = scale (q - zero)
struct QdqGrid {
  float scale = 1;
  double zero = 0;
};

/// Zero is a level, for padding.
QdqGrid grid_over(const Range& range, const ActivationType& type) {
  const double low = std::min<double>(range.low, 0);
  const double high = std::max<double>(range.high, 0);
  QdqGrid grid{1, std::clamp(0.0, type.low, type.high)};
  if (high - low < std::numeric_limits<float>::min()) return grid;
  const double step = (high - low) / (type.high - type.low);
  grid.scale = static_cast<float>(step);
  grid.zero = std::clamp(std::nearbyint(type.low - low / step), type.low, type.high);
  return grid;
}

Range within(Range range, const View& clip) {
  range.low = static_cast<float>(std::max<double>(range.low, clip.low));
  range.high = static_cast<float>(std::min<double>(range.high, clip.high));
  return range;
}

template <typename T>
Tensor integers(DataType type, std::vector<int64_t> shape, const std::vector<double>& values) {
  std::vector<T> out(values.size());
  std::transform(values.begin(), values.end(), out.begin(),
                 [](double value) { return static_cast<T>(value); });
  return {type, std::move(shape), Bytes::copy_of(std::span<const T>(out)), {}};
}

Tensor activations_tensor(const ActivationType& type, std::vector<int64_t> shape,
                          const std::vector<double>& values) {
  if (type.type == DataType::kUint16) {
    return integers<uint16_t>(type.type, std::move(shape), values);
  }
  if (type.type == DataType::kInt8) return integers<int8_t>(type.type, std::move(shape), values);
  return integers<uint8_t>(type.type, std::move(shape), values);
}

/// [rows, columns, taps] as [columns, rows, taps].
template <typename T>
std::vector<T> swapped(std::span<const T> values, size_t columns, size_t taps) {
  const size_t rows = values.size() / (columns * taps);
  std::vector<T> out(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t row = i / (columns * taps);
    const size_t column = i / taps % columns;
    out[(column * rows + row) * taps + i % taps] = values[i];
  }
  return out;
}

class QdqWriter {
 public:
  QdqWriter(optimize::GraphEditor& graph, const QdqPlan& plan, const RangeTable& ranges,
            const QdqWriting& writing)
      : graph_(graph), writing_(writing) {
    for (const QdqStep& step : plan.steps)
      made_.insert(step.node->outputs.begin(), step.node->outputs.end());
    for (const auto& [value, holder] : plan.holders) {
      const auto clip = plan.clips.find(holder);
      const Range range =
          clip == plan.clips.end() ? ranges.at(holder) : within(ranges.at(holder), clip->second);
      grids_[value] = grid_over(range, writing.type);
    }
  }

  const QdqGrid& grid(const std::string& value) const { return grids_.at(value); }
  const QdqWriting& writing() const { return writing_; }

  /// The name under which the plan reads the value.
  std::string reading(const std::string& value) {
    if (made_.contains(value)) return value;
    std::string& name = border_[value];
    if (name.empty()) {
      name = graph_.unique(value + "_read");
      quantize(value, name, grids_.at(value));
    }
    return name;
  }

  /// What the node makes is quantized before others see it.
  void publish(model::Node& node) {
    const std::vector<std::string> values = node.outputs;
    std::vector<std::string> reals;
    for (const std::string& value : values) reals.push_back(graph_.unique(value + "_real"));
    graph_.set_outputs(node, reals);
    for (size_t i = 0; i < values.size(); ++i) quantize(reals[i], values[i], grids_.at(values[i]));
  }

  /// A float constant among operands, over its own range.
  std::string operand(const std::string& name, const model::Constant& constant) {
    std::string& read = border_[name];
    if (read.empty()) {
      read = store(name, constant, grid_of(optimize::float_values(constant), writing_.type),
                   writing_.type);
    }
    return read;
  }

  /// A constant of one positive number as it is.
  std::string exact_operand(const std::string& name, const model::Constant& constant) {
    std::string& read = exact_[name];
    if (read.empty()) {
      read = store(name, constant, {optimize::float_values(constant).front(), 0}, writing_.type);
    }
    return read;
  }

  /// A constant of one number for each channel, in 8 bits; returns its step, too.
  std::pair<std::string, float> scale_operand(const std::string& name,
                                              const model::Constant& constant) {
    const ActivationType& type = writing_.type.type == DataType::kUint16 ? kBytes : writing_.type;
    const QdqGrid grid = grid_of(optimize::float_values(constant), type);
    std::string& read = channels_[name];
    if (read.empty()) read = store(name, constant, grid, type);
    return {read, grid.scale};
  }

  /// A weight's integers, once for all that read it with the same scales. `form` tells how.
  std::string weight(const std::string& form, const Tensor& values,
                     const std::vector<float>& scales, int64_t axis) {
    std::string& read = weights_[{form, scales}];
    if (read.empty()) {
      read = add_dequantized(graph_, form.substr(form.find(' ') + 1),
                             {values, scales, axis, writing_.one_scale});
    }
    return read;
  }

 private:
  static constexpr ActivationType kBytes = {"uint8", DataType::kUint8, 0, 255, 13};

  static QdqGrid grid_of(const std::vector<float>& values, const ActivationType& type) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return grid_over(values.empty() ? Range{} : Range{*low, *high}, type);
  }

  /// Adds the levels of a constant and what reads them as floats; returns the name of the latter.
  std::string store(const std::string& name, const model::Constant& constant, const QdqGrid& grid,
                    const ActivationType& type) {
    std::vector<double> levels;
    for (const float value : optimize::float_values(constant)) {
      levels.push_back(
          std::clamp(std::nearbyint(value / grid.scale + grid.zero), type.low, type.high));
    }
    const std::string stored =
        graph_.add_constant(name + "_q", activations_tensor(type, constant.shape, levels));
    const std::string zero_name =
        type.type == writing_.type.type
            ? zero(grid.zero)
            : graph_.add_constant(name + "_zero", activations_tensor(type, {}, {grid.zero}));
    std::string read = graph_.unique(name + "_read");
    graph_.add(make_node("DequantizeLinear", {stored, scale(grid.scale), zero_name}, read));
    return read;
  }

  std::string scale(float value) {
    std::string& name = scale_names_[value];
    if (name.empty()) {
      name = graph_.add_constant("activation_scale",
                                 make_float_tensor({}, std::span<const float>(&value, 1)));
    }
    return name;
  }
  std::string zero(double value) {
    std::string& name = zero_names_[value];
    if (name.empty()) {
      name = graph_.add_constant("activation_zero", activations_tensor(writing_.type, {}, {value}));
    }
    return name;
  }
  void quantize(const std::string& from, const std::string& to, const QdqGrid& grid) {
    const std::string stored = graph_.unique(to + "_q");
    const std::vector<std::string> numbers = {scale(grid.scale), zero(grid.zero)};
    graph_.add(make_node("QuantizeLinear", {from, numbers[0], numbers[1]}, stored));
    graph_.add(make_node("DequantizeLinear", {stored, numbers[0], numbers[1]}, to));
  }

  optimize::GraphEditor& graph_;
  const QdqWriting& writing_;
  std::set<std::string> made_;  ///< by operators of the plan
  std::map<std::string, QdqGrid> grids_;
  std::map<std::string, std::string> border_;    ///< what others make -> its quantized reading
  std::map<std::string, std::string> exact_;     ///< the same of exponents
  std::map<std::string, std::string> channels_;  ///< and of scales of normalizations
  std::map<std::pair<std::string, std::vector<float>>, std::string> weights_;
  std::map<float, std::string> scale_names_;
  std::map<double, std::string> zero_names_;
};

/// A weight as a convolution's, [outputs, inputs, taps].
struct WeightView {
  std::vector<float> values;
  ConvolutionShape shape;
  bool is_matrix;     ///< in the graph it is [inputs, outputs]
  bool inputs_first;  ///< in the graph outputs are the second axis
};

/// Of a transposed convolution, which no kernel multiplies in integers on x86.
WeightView view_of_transposed(const model::Constant& weights) {
  ConvolutionShape shape;
  shape.inputs = static_cast<size_t>(weights.shape[0]);
  shape.outputs = static_cast<size_t>(weights.shape[1]);
  shape.taps = static_cast<size_t>(weights.element_count()) / (shape.inputs * shape.outputs);
  shape.paired = false;
  return {swapped<float>(optimize::float_values(weights), shape.outputs, shape.taps), shape, false,
          true};
}

WeightView view_of(const model::Constant& weights, const model::Node& node) {
  if (node.op_type == "Conv") {
    return {optimize::float_values(weights), convolution_shape(weights, node.int_or("group", 1)),
            false, false};
  }
  if (node.op_type == "ConvTranspose") return view_of_transposed(weights);
  std::vector<float> values = optimize::float_values(weights);
  const bool is_transposed = node.op_type == "Gemm" && node.int_or("transB", 0) != 0;
  if (!is_transposed) {
    values = swapped<float>(values, static_cast<size_t>(weights.shape[1]), 1);
  }
  ConvolutionShape shape;
  shape.outputs = static_cast<size_t>(weights.shape[is_transposed ? 0 : 1]);
  shape.inputs = static_cast<size_t>(weights.shape[is_transposed ? 1 : 0]);
  return {std::move(values), shape, true, true};
}

std::string precision_of(const QdqWriting& writing) {
  return fmt::format("int8 per {}, {} activations", writing.one_scale ? "tensor" : "channel",
                     writing.type.name);
}

LayerQuantization write_weights(QdqWriter& writer, optimize::GraphEditor& graph,
                                model::Node& node) {
  const QdqWriting& writing = writer.writing();
  const std::string name = node.inputs[1];
  const model::Constant& weights = *graph.constant(name);
  WeightView view = view_of(weights, node);
  const std::string form = fmt::format("{}{}{} {}", node.op_type, node.int_or("transB", 0),
                                       node.int_or("group", 1), name);
  if (writing.range == WeightRange::kFull) view.shape.paired = false;
  view.shape.choice = writing.choice;
  view.shape.one_scale = writing.one_scale;
  const bool biased = node.inputs.size() > 2 && !node.inputs[2].empty();
  const QdqGrid& input = writer.grid(node.inputs[0]);
  IntegerConvolution made = quantize_convolution(
      view.values, view.shape,
      biased ? optimize::float_values(*graph.constant(node.inputs[2])) : std::vector<float>(),
      {input.scale});
  std::vector<int64_t> shape = weights.shape;
  if (view.inputs_first) {
    made.weights.values = swapped<int8_t>(made.weights.values, view.shape.inputs, view.shape.taps);
  }
  if (view.is_matrix) {
    shape = {static_cast<int64_t>(view.shape.inputs), static_cast<int64_t>(view.shape.outputs)};
    std::erase_if(node.attributes,
                  [](const auto& attribute) { return attribute.name == "transB"; });
  }
  std::vector<float> bias_scales = made.weights.scales;
  for (float& scale : bias_scales) scale *= input.scale;
  const std::string read = writer.weight(
      form,
      {DataType::kInt8, shape, Bytes::copy_of(std::span<const int8_t>(made.weights.values)), {}},
      made.weights.scales, view.inputs_first ? 1 : 0);
  std::vector<std::string> inputs = {writer.reading(node.inputs[0]), read};
  if (biased) {
    const Tensor bias{DataType::kInt32,
                      {static_cast<int64_t>(made.bias.size())},
                      Bytes::copy_of(std::span<const int32_t>(made.bias)),
                      {}};
    inputs.push_back(
        add_dequantized(graph, node.inputs[2], {bias, bias_scales, 0, writing.one_scale}));
  }
  graph.set_inputs(node, std::move(inputs));
  LayerQuantization layer{layer_name(node), name, precision_of(writing), weights.element_count(),
                          made.weight_sqnr_db};
  tell_widened(made, layer);
  return layer;
}

void read_operands(QdqWriter& writer, optimize::GraphEditor& graph, const QdqStep& step) {
  std::vector<std::string> inputs = step.node->inputs;
  for (const size_t slot : step.slots) inputs[slot] = writer.reading(inputs[slot]);
  if (step.role == QdqRole::kOperands) {
    for (std::string& input : inputs) {
      if (const model::Constant* constant = graph.constant(input)) {
        input = step.node->op_type == "Pow" ? writer.exact_operand(input, *constant)
                                            : writer.operand(input, *constant);
      }
    }
  }
  graph.set_inputs(*step.node, std::move(inputs));
}

/// A bias in int32 at the step of the input times that of the scale, or at a wider one where it
/// does not fit.
std::string write_bias(optimize::GraphEditor& graph, const std::string& name, double step) {
  constexpr double kMost = 1 << 30;
  const std::vector<float> values = optimize::float_values(*graph.constant(name));
  for (const float value : values) step = std::max(step, std::abs(value) / kMost);
  const auto scale = std::max(static_cast<float>(step), std::numeric_limits<float>::min());
  std::vector<double> levels;
  for (const float value : values) levels.push_back(std::nearbyint(value / scale));
  const Tensor bias =
      integers<int32_t>(DataType::kInt32, {static_cast<int64_t>(values.size())}, levels);
  return add_dequantized(graph, name, {bias, {scale}, 0, true});
}

void write_normalization(QdqWriter& writer, optimize::GraphEditor& graph, model::Node& node) {
  const auto [scale, step] = writer.scale_operand(node.inputs[1], *graph.constant(node.inputs[1]));
  std::vector<std::string> inputs = {writer.reading(node.inputs[0]), scale};
  if (node.inputs.size() > 2 && !node.inputs[2].empty()) {
    inputs.push_back(
        write_bias(graph, node.inputs[2], double{writer.grid(node.inputs[0]).scale} * step));
  }
  graph.set_inputs(node, std::move(inputs));
}

}  // namespace

std::vector<LayerQuantization> write_qdq(optimize::GraphEditor& graph, const QdqPlan& plan,
                                         const RangeTable& ranges, const QdqWriting& writing) {
  QdqWriter writer(graph, plan, ranges, writing);
  std::vector<LayerQuantization> layers;
  for (const QdqStep& step : plan.steps) {
    if (step.role == QdqRole::kWeights) {
      layers.push_back(write_weights(writer, graph, *step.node));
    } else if (step.role == QdqRole::kNormalization) {
      write_normalization(writer, graph, *step.node);
    } else {
      read_operands(writer, graph, step);
    }
    writer.publish(*step.node);
  }
  return layers;
}

}  // namespace wattwise::quantize
