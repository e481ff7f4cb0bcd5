// SPDX-License-Identifier: Apache-2.0
#include "quantize/equalize_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "optimize/graph_editor.h"
#include "quantize/convolution_weights.h"
#include "quantize/quantize_weights.h"

namespace wattwise::quantize {
namespace {

using optimize::GraphEditor;

/// Operators of one activation with f(s x) = s f(x) for every channel and s > 0.
constexpr std::array<std::string_view, 6> kHomogeneous = {
    "Relu", "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool", "Identity"};
/// Where all factors of a round are this close to 1, no more is to be gained.
constexpr double kSettled = 1e-3;
constexpr int kMostRounds = 40;
/// Channels that differ by more are nearly unused: biases would grow out of all proportion.
constexpr double kMostScale = 1e3;

/// A convolution with its weights as they become.
struct Layer {
  model::Node* node;
  ConvolutionShape shape;
  size_t outputs_of_group;
  std::vector<double> weights;
  std::vector<double> bias;  ///< empty: none
  bool is_changed = false;

  size_t channels() const { return shape.outputs / outputs_of_group * shape.inputs; }

  /// Calls visit(weight) for all that make a channel.
  template <typename Visit>
  void for_output(size_t channel, const Visit& visit) {
    const size_t size = shape.inputs * shape.taps;
    for (size_t i = channel * size; i < (channel + 1) * size; ++i) visit(weights[i]);
  }

  /// The same for all that read a channel.
  template <typename Visit>
  void for_input(size_t channel, const Visit& visit) {
    const size_t first = channel / shape.inputs * outputs_of_group;
    for (size_t out = first; out < first + outputs_of_group; ++out) {
      const size_t at = (out * shape.inputs + channel % shape.inputs) * shape.taps;
      for (size_t tap = 0; tap < shape.taps; ++tap) visit(weights[at + tap]);
    }
  }
};

std::optional<Layer> read_layer(const GraphEditor& graph, model::Node& node) {
  if (!node.is("Conv")) return std::nullopt;
  const model::Constant* weights = graph.constant(node.inputs[1]);
  const bool biased = node.inputs.size() > 2 && !node.inputs[2].empty();
  const model::Constant* bias = biased ? graph.constant(node.inputs[2]) : nullptr;
  if (!weights || weights->type != DataType::kFloat || weights->shape.size() < 3) {
    return std::nullopt;
  }
  if (biased && (!bias || bias->type != DataType::kFloat)) return std::nullopt;
  const int64_t groups = node.int_or("group", 1);
  Layer layer{&node, convolution_shape(*weights, groups), 0, {}, {}};
  layer.outputs_of_group = layer.shape.outputs / static_cast<size_t>(groups);
  const Floats values(weights->data.view());
  layer.weights.assign(values.begin(), values.end());
  if (bias) {
    const auto floats = optimize::float_values(*bias);
    layer.bias.assign(floats.begin(), floats.end());
  }
  return layer;
}

/// The convolution that alone reads what another makes, through nothing but homogeneous operators.
model::Node* next_convolution(const GraphEditor& graph, const model::Node& from) {
  const model::Node* at = &from;
  while (at->outputs.size() == 1 && !graph.is_output(at->outputs[0]) &&
         graph.uses(at->outputs[0]) == 1) {
    const auto readers = graph.readers(at->outputs[0]);
    if (readers.empty() || readers[0]->inputs[0] != at->outputs[0]) return nullptr;
    if (readers[0]->is("Conv")) return readers[0];
    if (std::none_of(kHomogeneous.begin(), kHomogeneous.end(),
                     [&](std::string_view op) { return readers[0]->is(op); })) {
      return nullptr;
    }
    at = readers[0];
  }
  return nullptr;
}

double largest(Layer& layer, size_t channel, bool makes_it) {
  double most = 0;
  const auto raise = [&](double weight) { most = std::max(most, std::fabs(weight)); };
  makes_it ? layer.for_output(channel, raise) : layer.for_input(channel, raise);
  return most;
}

struct Pair {
  size_t first, second;
  std::vector<double> scales;  ///< of each channel between them, so far
};

/// One step for a pair; returns the largest factor or its inverse.
double equalize(Layer& first, Layer& second, std::vector<double>& scales) {
  double most = 1;
  for (size_t channel = 0; channel < first.shape.outputs; ++channel) {
    const double made = largest(first, channel, true);
    const double read = largest(second, channel, false);
    if (made == 0 || read == 0) continue;
    const double wanted = scales[channel] * std::sqrt(made / read);
    const double scale = std::clamp(wanted, 1 / kMostScale, kMostScale);
    const double factor = scale / scales[channel];
    scales[channel] = scale;
    first.for_output(channel, [&](double& weight) { weight /= factor; });
    if (!first.bias.empty()) first.bias[channel] /= factor;
    second.for_input(channel, [&](double& weight) { weight *= factor; });
    most = std::max({most, factor, 1 / factor});
  }
  return most;
}

/// Spread of what makes the channels, in decibels: what there was to equalize.
double spread_db(Layer& first, Layer& second) {
  double sum = 0;
  size_t count = 0;
  for (size_t channel = 0; channel < first.shape.outputs; ++channel) {
    const double made = largest(first, channel, true);
    const double read = largest(second, channel, false);
    if (made == 0 || read == 0) continue;
    sum += std::pow(20 * std::log10(made / read), 2);
    ++count;
  }
  return count == 0 ? 0 : std::sqrt(sum / static_cast<double>(count));
}

Tensor float_tensor(const std::vector<int64_t>& shape, const std::vector<double>& values) {
  std::vector<float> floats(values.size());
  std::transform(values.begin(), values.end(), floats.begin(),
                 [](double value) { return static_cast<float>(value); });
  return make_float_tensor(shape, floats);
}

void write_layer(GraphEditor& graph, const Layer& layer) {
  const std::string weights = layer.node->inputs[1];
  const std::string name = graph.add_constant(
      weights + "_equal", float_tensor(graph.constant(weights)->shape, layer.weights));
  graph.set_input(*layer.node, 1, name);
  if (layer.bias.empty()) return;
  const auto count = static_cast<int64_t>(layer.bias.size());
  graph.set_input(
      *layer.node, 2,
      graph.add_constant(layer.node->inputs[2] + "_equal", float_tensor({count}, layer.bias)));
}

std::vector<Pair> find_pairs(const GraphEditor& graph, std::vector<Layer>& layers) {
  std::vector<Pair> pairs;
  for (size_t i = 0; i < layers.size(); ++i) {
    const model::Node* next = next_convolution(graph, *layers[i].node);
    const auto it = std::find_if(layers.begin(), layers.end(),
                                 [&](const Layer& layer) { return layer.node == next; });
    if (!next || it == layers.end() || it->channels() != layers[i].shape.outputs) continue;
    pairs.push_back({i, static_cast<size_t>(it - layers.begin()),
                     std::vector<double>(layers[i].shape.outputs, 1)});
  }
  return pairs;
}

void tell(const Layer& first, const Layer& second, double before, MethodOutcome& outcome) {
  outcome.decisions.push_back(
      {"equalize", first.node->outputs[0],
       fmt::format("largest weights that make its channels and that read them in {} differed by "
                   "{:.1f} dB",
                   second.node->outputs[0], before)});
}

}  // namespace

Result<MethodOutcome> equalize_layers(model::Model& model) {
  MethodOutcome outcome;
  optimize::ModelEditor editor(model);
  GraphEditor& graph = editor.graphs().front();
  std::vector<Layer> layers;
  for (model::Node* node : graph.nodes()) {
    if (auto layer = read_layer(graph, *node)) layers.push_back(std::move(*layer));
  }
  std::vector<Pair> pairs = find_pairs(graph, layers);
  for (const auto& [first, second, scales] : pairs) {
    tell(layers[first], layers[second], spread_db(layers[first], layers[second]), outcome);
    layers[first].is_changed = layers[second].is_changed = true;
  }
  double change = 2;
  for (int round = 0; round < kMostRounds && change > 1 + kSettled; ++round) {
    change = 1;
    for (auto& [first, second, scales] : pairs) {
      change = std::max(change, equalize(layers[first], layers[second], scales));
    }
  }
  for (const Layer& layer : layers) {
    if (layer.is_changed) write_layer(graph, layer);
  }
  if (!pairs.empty()) count_applied(outcome, "equalize_layers", pairs.size());
  WATTWISE_TRY(editor.finish());
  model::remove_unused(model.graph);
  return outcome;
}

}  // namespace wattwise::quantize
