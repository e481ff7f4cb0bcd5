// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "optimize/graph_editor.h"
#include "optimize/optimize.h"
#include "wattwise/tensor.h"

// Multiplications and additions of constants, read as y = x * scale + shift and computed with in
// double precision. Broadcasting is ONNX's: shapes line up at their last axes.
namespace wattwise::optimize {

/// A small dense array. A default one is the number 0.
struct Array {
  std::vector<int64_t> shape = {};
  std::vector<double> values = {0};

  static Array number(double value) { return {{}, {value}}; }
  bool all(double value) const;
};

/// The elements of a float constant; absent for null and for another type.
std::optional<Array> array_of(const model::Constant* constant);
/// As float; absent if a value is too large for it, or all are so small that digits get lost.
std::optional<Tensor> float_tensor(const Array& array);

using BinaryFunction = double (*)(double, double);
/// Element by element; absent if the shapes do not fit.
std::optional<Array> broadcast(const Array& a, const Array& b, BinaryFunction function);
double plus(double a, double b);
double times(double a, double b);

/// y = x * scale + shift.
struct Affine {
  Array scale = Array::number(1);
  Array shift = Array::number(0);
};

/// First one, then the other, as one; absent if the shapes do not fit.
std::optional<Affine> compose(const Affine& first, const Affine& then);

/// A node that is affine in one of its inputs, the others being constant.
struct AffineStep {
  model::Node* node = nullptr;
  std::string input;  ///< x
  Affine affine;
};

/// Reads Mul, Div, Add, Sub (either operand constant, except a constant divided), Neg and
/// BatchNormalization in inference form, for which `rank` is that of x (0: leave it alone).
/// An addition of 2^20 or more is not read: it rounds, which may be what it is there for.
std::optional<AffineStep> affine_step(const GraphEditor& graph, model::Node& node, size_t rank);

/// Whether the constants add no axes to x, as far as known.
bool keeps_axes(const model::ShapeTable& shapes, const AffineStep& step);

/// A scale and shift that are one number each.
struct Scalar {
  double scale = 1;
  double shift = 0;
};
/// The step as such, if it is and leaves x in its shape.
std::optional<Scalar> scalar_of(const model::ShapeTable& shapes, const AffineStep& step);

/// Where the channels are: that many axes before the last one, and how many there are.
struct ChannelAxis {
  size_t from_end = 0;
  int64_t count = 0;
  size_t rank = 0;  ///< of the value; a constant of more axes would add axes to it
};

/// One number per channel, if the array holds one number, or one for each channel and nothing else
/// varies.
std::optional<std::vector<double>> per_channel(const Array& array, const ChannelAxis& axis);
/// The array that broadcasts one number per channel; a single number if all are equal.
Array from_channels(const std::vector<double>& values, const ChannelAxis& axis);

/// Before this opset Add and Mul broadcast by attributes instead.
inline constexpr int64_t kFirstBroadcastingOpset = 7;

}  // namespace wattwise::optimize
