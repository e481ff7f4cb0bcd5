// SPDX-License-Identifier: Apache-2.0
// A convolution over an image of few channels reads it with the channels last, as it lies.
//
//   before:  x[N,H,W,C] -> Transpose -> [N,C,H,W] -> Conv w[O,C,kh,kw], strides (sh, sw)
//   after:   x[N,H,W,C] -> Reshape   -> [N,1,H,W*C] -> Conv w'[O,1,kh,kw*C], strides (sh, sw*C)
//
// A row of pixels is a row of W*C numbers, and a window of kw pixels one of kw*C numbers; columns
// pad by C numbers a pixel. w'[o,0,i,j*C+c] = w[o,c,i,j]. Exact: the same products are added, in
// another order. Only where the provider reads few channels without gathering windows first.
#include <algorithm>
#include <utility>

#include "optimize/passes/passes.h"
#include "optimize/permutation.h"
#include "optimize/rewrite_graphs.h"

namespace wattwise::optimize {
namespace {

/// More channels are worth a layout of their own.
constexpr int64_t kMostChannels = 4;

struct Window {
  std::vector<int64_t> strides;
  std::vector<int64_t> pads;
};

std::vector<int64_t> ints_or(const model::Node& node, std::string_view name,
                             std::vector<int64_t> fallback) {
  return node.attribute(name) ? node.ints_or_empty(name) : std::move(fallback);
}

/// Absent for windows that have gaps or place themselves.
std::optional<Window> window_of(const model::Node& conv) {
  const std::string placing = conv.string_or("auto_pad", "NOTSET");
  const std::vector<int64_t> dilations = ints_or(conv, "dilations", {1, 1});
  if (placing != "NOTSET" || conv.int_or("group", 1) != 1) return std::nullopt;
  if (dilations.size() != 2 || dilations[1] != 1) return std::nullopt;
  Window window{ints_or(conv, "strides", {1, 1}), ints_or(conv, "pads", {0, 0, 0, 0})};
  if (window.strides.size() != 2 || window.pads.size() != 4) return std::nullopt;
  return window;
}

/// w[O,C,kh,kw] -> w'[O,1,kh,kw*C]
Tensor interleave(const model::Constant& weight) {
  const std::vector<float> values = float_values(weight);
  const int64_t channels = weight.shape[1];
  const int64_t plane = weight.shape[2] * weight.shape[3];
  std::vector<float> result(values.size());
  for (int64_t filter = 0; filter < weight.shape[0]; ++filter) {
    for (int64_t channel = 0; channel < channels; ++channel) {
      for (int64_t place = 0; place < plane; ++place) {
        const int64_t source = (filter * channels + channel) * plane + place;
        const int64_t target = (filter * plane + place) * channels + channel;
        result[static_cast<size_t>(target)] = values[static_cast<size_t>(source)];
      }
    }
  }
  return model::make_float_constant(
             "", {weight.shape[0], 1, weight.shape[2], weight.shape[3] * channels}, result)
      .tensor();
}

/// The image as [N, 1, H, W*C]; absent where H is free.
std::optional<std::vector<int64_t>> row_shape(const model::ShapeTable& shapes,
                                              const std::string& image) {
  const auto it = shapes.find(image);
  if (it == shapes.end() || it->second.type != DataType::kFloat) return std::nullopt;
  const std::vector<int64_t>& shape = it->second.shape;
  if (shape.size() != 4 || shape[1] <= 0 || shape[3] <= 0) return std::nullopt;
  return std::vector<int64_t>{0, 1, shape[1], shape[2] > 0 ? shape[2] * shape[3] : -1};
}

void set_window(model::Node& conv, const Window& window, const Tensor& weight, int64_t channels) {
  conv.set_attribute("kernel_shape", std::vector<int64_t>{weight.shape[2], weight.shape[3]});
  conv.set_attribute("strides",
                     std::vector<int64_t>{window.strides[0], window.strides[1] * channels});
  conv.set_attribute("pads", std::vector<int64_t>{window.pads[0], window.pads[1] * channels,
                                                  window.pads[2], window.pads[3] * channels});
}

bool read_as_it_lies(GraphEditor& graph, const model::ShapeTable& shapes, model::Node& conv) {
  model::Node* transpose = graph.producer_if(conv.inputs[0], "Transpose");
  if (!transpose || permutation_of(*transpose) != Permutation{0, 3, 1, 2}) return false;
  const model::Constant* weight = graph.constant(conv.inputs[1]);
  if (!weight || weight->type != DataType::kFloat || weight->shape.size() != 4) return false;
  const int64_t channels = weight->shape[1];
  const auto window = window_of(conv);
  const auto rows = row_shape(shapes, transpose->inputs[0]);
  if (!window || !rows || channels > kMostChannels || graph.uses(conv.inputs[0]) != 1) return false;

  const Tensor interleaved = interleave(*weight);
  const std::string shape = graph.add_constant(transpose->inputs[0] + "_rows_shape",
                                               model::make_int64_constant("", {4}, *rows).tensor());
  const std::string image = graph.unique(transpose->inputs[0] + "_rows");
  graph.add(make_node("Reshape", {transpose->inputs[0], shape}, image));
  graph.remove(*transpose);
  graph.set_input(conv, 0, image);
  graph.set_input(conv, 1, graph.add_constant(conv.inputs[1] + "_interleaved", interleaved));
  set_window(conv, *window, interleaved, channels);
  return true;
}

}  // namespace

Result<PassOutcome> read_channels_last(model::Model& model, const PassContext& context) {
  if (context.target().channel_block < 2 || model.opset("") < 5) return PassOutcome();
  return rewrite_graphs(model, context, [](GraphEditor& graph, const model::ShapeTable& shapes) {
    int64_t changed = 0;
    for (model::Node* node : graph.nodes()) {
      if (node->is("Conv") && read_as_it_lies(graph, shapes, *node)) ++changed;
    }
    return changed;
  });
}

}  // namespace wattwise::optimize
