// SPDX-License-Identifier: Apache-2.0
#include "optimize/pad_constants.h"

#include <algorithm>

namespace wattwise::optimize {
namespace {

int64_t product(const std::vector<int64_t>& shape, size_t from) {
  int64_t count = 1;
  for (size_t axis = from; axis < shape.size(); ++axis) count *= shape[axis];
  return count;
}

std::string add(GraphEditor& graph, const std::string& base, std::vector<int64_t> shape,
                const std::vector<float>& values) {
  return graph.add_constant(base,
                            model::make_float_constant("", std::move(shape), values).tensor());
}

struct Copy {
  const std::vector<int64_t>& from;
  const std::vector<int64_t>& to;
};

void copy_block(const Copy& shapes, size_t axis, const float* source, float* target) {
  const int64_t rows = shapes.from[axis];
  if (axis + 1 == shapes.from.size()) {
    std::copy_n(source, rows, target);
    return;
  }
  const int64_t source_step = product(shapes.from, axis + 1);
  const int64_t target_step = product(shapes.to, axis + 1);
  for (int64_t row = 0; row < rows; ++row) {
    copy_block(shapes, axis + 1, source + row * source_step, target + row * target_step);
  }
}

}  // namespace

std::string pad_constant(GraphEditor& graph, const std::string& value,
                         const std::vector<int64_t>& shape) {
  const model::Constant& constant = *graph.constant(value);
  if (constant.shape == shape) return value;
  const std::vector<float> values = float_values(constant);
  std::vector<float> padded(static_cast<size_t>(product(shape, 0)));
  if (!values.empty()) copy_block({constant.shape, shape}, 0, values.data(), padded.data());
  return add(graph, value + "_padded", shape, padded);
}

std::string slice_constant(GraphEditor& graph, const std::string& value, int64_t begin,
                           int64_t end) {
  const model::Constant& constant = *graph.constant(value);
  const std::vector<float> values = float_values(constant);
  const int64_t row = product(constant.shape, 1);
  std::vector<int64_t> shape = constant.shape;
  shape[0] = end - begin;
  return add(graph, value + "_part", shape,
             std::vector<float>(values.begin() + begin * row, values.begin() + end * row));
}

}  // namespace wattwise::optimize
