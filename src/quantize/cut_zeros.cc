// SPDX-License-Identifier: Apache-2.0
#include "quantize/cut_zeros.h"

#include <algorithm>

#include "optimize/graph_editor.h"

namespace wattwise::quantize {
namespace {

constexpr int64_t kFirstPadWithInputs = 11;
/// Zeros that are fewer cost little more than the node that would put them back.
constexpr int64_t kWorthAPad = 1024;

/// A part of the array: from `first` on, along each axis.
struct Box {
  std::vector<int64_t> first;
  std::vector<int64_t> shape;
};

/// Calls visit(offset, length) for each run of neighbours along the last axis within the box, of a
/// row-major array of the weight's shape.
template <typename Visit>
void for_each_row(const Weight& weight, const Box& box, const Visit& visit) {
  const std::vector<int64_t>& whole = weight.constant.shape;
  const size_t last = whole.size() - 1;
  std::vector<int64_t> index(whole.size(), 0);
  for (;;) {
    int64_t offset = 0;
    for (size_t axis = 0; axis <= last; ++axis) {
      offset = offset * whole[axis] + box.first[axis] + index[axis];
    }
    visit(static_cast<size_t>(offset), static_cast<size_t>(box.shape[last]));
    size_t axis = last;
    while (axis > 0 && ++index[axis - 1] == box.shape[axis - 1]) index[--axis] = 0;
    if (axis == 0) return;
  }
}

/// The smallest box that holds everything but zeros; one zero where there is nothing else.
Box box_without_zeros(const Weight& weight) {
  const Floats values = weight.values();
  const std::vector<int64_t>& whole = weight.constant.shape;
  std::vector<int64_t> first = whole;
  std::vector<int64_t> end(whole.size(), 0);
  for (size_t i = 0; i < values.size(); ++i) {
    values.passed(i);
    if (values[i] == 0) continue;
    auto left = static_cast<int64_t>(i);
    for (size_t axis = whole.size(); axis-- > 0; left /= whole[axis]) {
      const int64_t at = left % whole[axis];
      first[axis] = std::min(first[axis], at);
      end[axis] = std::max(end[axis], at + 1);
    }
  }
  Box box{std::vector<int64_t>(whole.size(), 0), std::vector<int64_t>(whole.size(), 1)};
  for (size_t axis = 0; axis < whole.size() && end[axis] > 0; ++axis) {
    box.first[axis] = first[axis];
    box.shape[axis] = end[axis] - first[axis];
  }
  return box;
}

int64_t count_of(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

/// Whether ONNX Runtime would take the Pad for one of the data that a convolution reads, and move
/// it there: it looks at sizes only, of which the first two are batch and channels.
bool looks_like_padded_data(const Weight& weight, const std::vector<int64_t>& pads) {
  const size_t rank = weight.rank();
  return rank > 2 && pads[0] + pads[1] + pads[rank] + pads[rank + 1] == 0;
}

/// Nodes that make `weight` of `cut`, which has zeros less.
void put_back(const Weight& weight, const std::string& cut, const std::vector<int64_t>& pads,
              ModelEdits& edits) {
  const auto rank = static_cast<int64_t>(weight.rank());
  const std::string zeros =
      edits.add_constant(weight, "_zeros", make_int64_tensor({2 * rank}, pads));
  if (!looks_like_padded_data(weight, pads)) {
    edits.add_first(weight, optimize::make_node("Pad", {cut, zeros}, weight.name));
    return;
  }
  const std::string padded = edits.unique(weight.name + "_padded");
  const std::string shape =
      edits.add_constant(weight, "_shape", make_int64_tensor({rank}, weight.constant.shape));
  edits.add_first(weight, optimize::make_node("Pad", {cut, zeros}, padded));
  edits.add_first(weight, optimize::make_node("Reshape", {padded, shape}, weight.name));
}

}  // namespace

LayerQuantization store_without_zeros(const Weight& weight, ModelEdits& edits,
                                      const StoreWeight& store) {
  if (edits.opset() < kFirstPadWithInputs) return store(weight, edits);
  const Box box = box_without_zeros(weight);
  const std::vector<int64_t>& shape = box.shape;
  if (weight.constant.element_count() - count_of(shape) < kWorthAPad) return store(weight, edits);
  std::vector<float> kept;
  for_each_row(weight, box, [&](size_t offset, size_t length) {
    const Floats row = weight.values().subspan(offset, length);
    kept.insert(kept.end(), row.begin(), row.end());
  });
  Weight cut = weight;
  cut.name = edits.unique(weight.name + "_cut");
  cut.constant.shape = shape;
  cut.constant.data = Bytes::copy_of(std::span<const float>(kept));
  LayerQuantization layer = store(cut, edits);
  std::vector<int64_t> pads(2 * shape.size(), 0);
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    pads[axis] = box.first[axis];
    pads[shape.size() + axis] = weight.constant.shape[axis] - shape[axis] - box.first[axis];
  }
  put_back(weight, cut.name, pads, edits);
  edits.remove_constant(weight);
  layer.weight = weight.name;
  layer.elements = weight.constant.element_count();
  return layer;
}

}  // namespace wattwise::quantize
