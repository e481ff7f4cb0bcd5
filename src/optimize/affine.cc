// SPDX-License-Identifier: Apache-2.0
#include "optimize/affine.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace wattwise::optimize {
namespace {

/// What scales or shifts channels is far smaller; what is larger is not read.
constexpr size_t kLargestArray = size_t{16} << 20;

int64_t product(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

/// The shape that both broadcast to.
std::optional<std::vector<int64_t>> joint_shape(const std::vector<int64_t>& a,
                                                const std::vector<int64_t>& b) {
  std::vector<int64_t> shape = a.size() >= b.size() ? a : b;
  const std::vector<int64_t>& other = a.size() >= b.size() ? b : a;
  const size_t ahead = shape.size() - other.size();
  for (size_t i = 0; i < other.size(); ++i) {
    int64_t& dim = shape[ahead + i];
    if (dim == 1) dim = other[i];
    if (other[i] != 1 && other[i] != dim) return std::nullopt;
  }
  return shape;
}

/// Which element of `array` stands at flat position `at` of `shape`.
size_t source_index(const Array& array, const std::vector<int64_t>& shape, int64_t at) {
  int64_t index = 0;
  int64_t stride = 1;
  for (size_t back = 1; back <= array.shape.size(); ++back) {
    const int64_t full = shape[shape.size() - back];
    const int64_t own = array.shape[array.shape.size() - back];
    if (own != 1) index += (at % full) * stride;
    at /= full;
    stride *= own;
  }
  return static_cast<size_t>(index);
}

Array mapped(Array array, const std::function<double(double)>& function) {
  for (double& value : array.values) value = function(value);
  return array;
}

/// x * c + 0 or x + c, x / c, x - c, c - x.
std::optional<Affine> arithmetic(const model::Node& node, const Array& constant, bool second) {
  if (node.is("Mul")) return Affine{constant, Array::number(0)};
  if (node.is("Add")) return Affine{Array::number(1), constant};
  if (node.is("Sub")) {
    if (!second) return Affine{Array::number(-1), constant};
    return Affine{Array::number(1), mapped(constant, [](double c) { return -c; })};
  }
  const auto is_zero = [](double value) { return value == 0; };
  if (!second || std::any_of(constant.values.begin(), constant.values.end(), is_zero)) {
    return std::nullopt;
  }
  return Affine{mapped(constant, [](double c) { return 1 / c; }), Array::number(0)};
}

/// A number so large rounds what it is added to, which may be the purpose.
bool rounds(double value) { return std::abs(value) >= double{1 << 20}; }

std::optional<AffineStep> arithmetic_step(const GraphEditor& graph, model::Node& node) {
  if (node.inputs.size() != 2) return std::nullopt;
  for (const size_t slot : {1, 0}) {
    const auto constant = array_of(graph.constant(node.inputs[slot]));
    if (!constant || graph.constant(node.inputs[1 - slot])) continue;
    const bool shifts = node.is("Add") || node.is("Sub");
    if (shifts && std::any_of(constant->values.begin(), constant->values.end(), rounds)) break;
    auto affine = arithmetic(node, *constant, slot == 1);
    if (!affine) return std::nullopt;
    return AffineStep{&node, node.inputs[1 - slot], std::move(*affine)};
  }
  return std::nullopt;
}

bool is_inference(const model::Node& node) {
  const bool one_output = std::all_of(node.outputs.begin() + 1, node.outputs.end(),
                                      [](const std::string& name) { return name.empty(); });
  return one_output && node.inputs.size() == 5 && node.int_or("training_mode", 0) == 0 &&
         node.int_or("spatial", 1) == 1;
}

/// scale = gamma / sqrt(variance + epsilon), shift = beta - mean * scale.
std::optional<AffineStep> batch_normalization(const GraphEditor& graph, model::Node& node,
                                              size_t rank) {
  if (!is_inference(node) || rank < 2) return std::nullopt;
  std::vector<Array> terms;
  for (size_t slot = 1; slot < 5; ++slot) {
    auto term = array_of(graph.constant(node.inputs[slot]));
    if (!term || term->shape.size() != 1) return std::nullopt;
    terms.push_back(std::move(*term));
    if (terms.back().shape != terms.front().shape) return std::nullopt;
  }
  const double epsilon = static_cast<double>(node.float_or("epsilon", 1e-5F));
  Affine affine{terms[0], terms[1]};
  for (size_t c = 0; c < terms[0].values.size(); ++c) {
    affine.scale.values[c] /= std::sqrt(terms[3].values[c] + epsilon);
    affine.shift.values[c] -= terms[2].values[c] * affine.scale.values[c];
  }
  affine.scale.shape.insert(affine.scale.shape.end(), rank - 2, 1);
  affine.shift.shape = affine.scale.shape;
  return AffineStep{&node, node.inputs[0], std::move(affine)};
}

}  // namespace

bool Array::all(double value) const {
  return std::all_of(values.begin(), values.end(), [&](double v) { return v == value; });
}

std::optional<Array> array_of(const model::Constant* constant) {
  if (!constant || constant->type != DataType::kFloat) return std::nullopt;
  if (constant->data.size() > kLargestArray) return std::nullopt;
  const std::vector<float> values = float_values(*constant);
  if (values.empty()) return std::nullopt;
  return Array{constant->shape, {values.begin(), values.end()}};
}

std::optional<Tensor> float_tensor(const Array& array) {
  constexpr double kMost = std::numeric_limits<float>::max();
  // Below this the digits of a float run out.
  constexpr double kLeast = std::numeric_limits<float>::min() * double{1 << 24};
  double largest = 0;
  std::vector<float> values;
  values.reserve(array.values.size());
  for (const double value : array.values) {
    if (!(std::abs(value) <= kMost)) return std::nullopt;
    largest = std::max(largest, std::abs(value));
    values.push_back(static_cast<float>(value));
  }
  if (largest != 0 && largest < kLeast) return std::nullopt;
  return make_float_tensor(array.shape, values);
}

std::optional<Array> broadcast(const Array& a, const Array& b, BinaryFunction function) {
  const auto shape = joint_shape(a.shape, b.shape);
  if (!shape) return std::nullopt;
  Array result{*shape, std::vector<double>(static_cast<size_t>(product(*shape)))};
  for (size_t i = 0; i < result.values.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    result.values[i] =
        function(a.values[source_index(a, *shape, at)], b.values[source_index(b, *shape, at)]);
  }
  return result;
}

double plus(double a, double b) { return a + b; }
double times(double a, double b) { return a * b; }

std::optional<Affine> compose(const Affine& first, const Affine& then) {
  auto scale = broadcast(first.scale, then.scale, times);
  auto scaled = broadcast(first.shift, then.scale, times);
  if (!scale || !scaled) return std::nullopt;
  auto shift = broadcast(*scaled, then.shift, plus);
  if (!shift) return std::nullopt;
  return Affine{std::move(*scale), std::move(*shift)};
}

bool keeps_axes(const model::ShapeTable& shapes, const AffineStep& step) {
  const size_t rank = std::max(step.affine.scale.shape.size(), step.affine.shift.shape.size());
  if (rank == 0) return true;
  const auto found = shapes.find(step.input);
  return found != shapes.end() && found->second.shape.size() >= rank;
}

std::optional<Scalar> scalar_of(const model::ShapeTable& shapes, const AffineStep& step) {
  const auto& [scale, shift] = step.affine;
  if (scale.values.size() != 1 || shift.values.size() != 1) return std::nullopt;
  if (!keeps_axes(shapes, step)) return std::nullopt;
  return Scalar{scale.values[0], shift.values[0]};
}

std::optional<AffineStep> affine_step(const GraphEditor& graph, model::Node& node, size_t rank) {
  if (!node.is_standard() || node.outputs.empty() || node.inputs.empty()) return std::nullopt;
  if (node.is("Mul") || node.is("Div") || node.is("Add") || node.is("Sub")) {
    return arithmetic_step(graph, node);
  }
  if (node.is("Neg")) {
    return AffineStep{&node, node.inputs[0], {Array::number(-1), Array::number(0)}};
  }
  if (node.is("BatchNormalization")) return batch_normalization(graph, node, rank);
  return std::nullopt;
}

std::optional<std::vector<double>> per_channel(const Array& array, const ChannelAxis& axis) {
  const auto count = static_cast<size_t>(axis.count);
  if (array.shape.size() > axis.rank) return std::nullopt;
  if (array.values.size() == 1) return std::vector<double>(count, array.values[0]);
  if (array.values.size() != count || array.shape.size() <= axis.from_end) return std::nullopt;
  const size_t at = array.shape.size() - 1 - axis.from_end;
  if (array.shape[at] != axis.count) return std::nullopt;
  return array.values;
}

Array from_channels(const std::vector<double>& values, const ChannelAxis& axis) {
  const double first = values.front();
  if (std::all_of(values.begin(), values.end(), [&](double v) { return v == first; })) {
    return Array::number(first);
  }
  std::vector<int64_t> shape(axis.from_end + 1, 1);
  shape.front() = axis.count;
  return {std::move(shape), values};
}

}  // namespace wattwise::optimize
