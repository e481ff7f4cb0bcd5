// SPDX-License-Identifier: Apache-2.0
#include "optimize/random_model_testing.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Shape = std::vector<int64_t>;

/// A float value and its sizes, -1 where free.
struct Made {
  std::string name;
  Shape shape;
};

/// What the graphs of one model have in common.
struct Dice {
  std::mt19937_64 numbers;
  int64_t opset = 13;
  bool constants_as_nodes = false;
  int names = 0;

  int64_t below(int64_t count) {
    return static_cast<int64_t>(numbers() % static_cast<uint64_t>(count));
  }
  bool one_in(int64_t count) { return below(count) == 0; }
  float number(float low, float high) {
    return low + (high - low) * static_cast<float>(numbers() % 10001) / 10000;
  }
  std::string name(const std::string& base) { return base + "_" + std::to_string(names++); }
};

class Maker {
 public:
  Maker(Dice& dice, model::Graph& graph, std::vector<Made> visible)
      : dice_(dice), graph_(graph), values_(std::move(visible)) {}

  void grow(int64_t steps, bool may_branch);
  const Made& last() const { return values_.back(); }
  std::vector<Made>& values() { return values_; }
  Made elementwise(const Made& x);

 private:
  std::string constant(const Shape& shape, float low, float high) {
    size_t count = 1;
    for (const int64_t size : shape) count *= static_cast<size_t>(size);
    std::vector<float> numbers(count);
    for (float& number : numbers) number = dice_.number(low, high);
    return put(model::make_float_constant(dice_.name("c"), shape, numbers));
  }
  std::string scalar(float value) {
    const Shape shape = dice_.one_in(3) ? Shape{1} : Shape{};
    const bool negated = dice_.one_in(12);
    if (negated) value = -value;
    const auto made = put(model::make_float_constant(dice_.name("s"), shape, {&value, 1}));
    return negated ? node("Neg", {made}) : made;
  }
  std::string integers(const Shape& values) {
    return put(
        model::make_int64_constant(dice_.name("i"), {static_cast<int64_t>(values.size())}, values));
  }
  std::string put(model::Constant constant) {
    const std::string name = constant.name;
    if (!dice_.constants_as_nodes && !dice_.one_in(4)) {
      graph_.initializers.push_back(std::move(constant));
      return name;
    }
    model::Node node;
    node.op_type = "Constant";
    node.outputs = {name};
    constant.name.clear();
    node.set_attribute("value", std::make_shared<model::Constant>(std::move(constant)));
    graph_.nodes.push_back(std::move(node));
    return name;
  }
  std::string node(const std::string& op, std::vector<std::string> inputs,
                   Attributes attributes = {}) {
    model::Node made;
    made.op_type = op;
    made.name = dice_.name(op);
    made.inputs = std::move(inputs);
    made.outputs = {made.name + "_out"};
    for (auto& [name, value] : attributes) made.set_attribute(name, std::move(value));
    graph_.nodes.push_back(std::move(made));
    return graph_.nodes.back().outputs[0];
  }
  /// A list of integers that was an attribute before the operator set `since`.
  struct IntegerList {
    std::string attribute;
    int64_t since;
  };
  std::string with_integers(const std::string& op, const Made& x, const IntegerList& list,
                            const Shape& values) {
    if (dice_.opset < list.since) return node(op, {x.name}, {{list.attribute, values}});
    return node(op, {x.name, integers(values)});
  }

  Made pick() {
    const auto count = std::min<int64_t>(3, static_cast<int64_t>(values_.size()));
    return values_[values_.size() - 1 - static_cast<size_t>(dice_.below(count))];
  }
  std::optional<Made> pick_like(const Made& x) {
    for (int i = 0; i < 4; ++i) {
      const Made& other =
          values_[static_cast<size_t>(dice_.below(static_cast<int64_t>(values_.size())))];
      if (other.shape == x.shape) return other;
    }
    return std::nullopt;
  }
  std::string clip(const std::string& x, float low, float high) {
    if (dice_.opset < 11) return node("Clip", {x}, {{"min", low}, {"max", high}});
    return node("Clip",
                {x, put(model::make_float_constant(dice_.name("min"), {}, std::span(&low, 1))),
                 put(model::make_float_constant(dice_.name("max"), {}, std::span(&high, 1)))});
  }

  Made affine(const Made& x);
  Made activation(const Made& x);
  std::string gated(const std::string& x, const std::string& gate);
  std::string tanh_gelu(const std::string& x);
  Made spelled_out(const Made& x);
  Made together(const Made& x);
  Made convolution(const Made& x);
  Made wide(const Made& x);
  Made normalization(const Made& x);
  Made pooling(const Made& x);
  Made product(const Made& x);
  Made layout(const Made& x);
  Made reshaped(const Made& x);
  Made cut(const Made& x);
  Made padded(const Made& x);
  Made picked(const Made& x);
  Made reduced(const Made& x);
  Made nothing(const Made& x);
  Made again(const Made& x);
  Made branches(const Made& x);

  Dice& dice_;
  model::Graph& graph_;
  std::vector<Made> values_;
};

int64_t channels(const Made& x) { return x.shape.size() > 1 ? x.shape[1] : -1; }

/// [1, C, 1, ...] against x.
Shape per_channel(const Made& x) {
  Shape shape(x.shape.size(), 1);
  shape[1] = x.shape[1];
  return shape;
}

Made Maker::affine(const Made& x) {
  static const std::array ops = {"Add", "Mul", "Sub", "Div"};
  const std::string op = ops[static_cast<size_t>(dice_.below(4))];
  std::string other;
  if (dice_.one_in(6)) {
    other = scalar(op == "Mul" || op == "Div" ? 1.0F : 0.0F);
  } else if (channels(x) > 0 && dice_.one_in(2)) {
    Shape shape = per_channel(x);
    if (dice_.one_in(2)) shape.erase(shape.begin());
    other = constant(shape, 0.5F, 1.5F);
  } else if (x.shape.back() > 0 && dice_.one_in(2)) {
    other = constant({x.shape.back()}, 0.5F, 1.5F);
  } else {
    other = scalar(dice_.number(0.5F, 1.5F));
  }
  // Division by x, which may be 0, is left out.
  const bool first = op != "Div" && dice_.one_in(4);
  return {first ? node(op, {other, x.name}) : node(op, {x.name, other}), x.shape};
}

Made Maker::activation(const Made& x) {
  static const std::array ops = {"Relu",      "Sigmoid", "Tanh",    "HardSigmoid",
                                 "LeakyRelu", "Erf",     "Softplus"};
  if (dice_.one_in(4)) return {clip(x.name, 0, 6), x.shape};
  if (dice_.one_in(5)) {
    const auto axis = static_cast<int64_t>(x.shape.size()) - 1 - (dice_.one_in(3) ? 1 : 0);
    return {node("Softmax", {x.name}, {{"axis", std::max<int64_t>(axis, 0)}}), x.shape};
  }
  return {node(ops[static_cast<size_t>(dice_.below(7))], {x.name}), x.shape};
}

/// x (1 + gate) / 2 in one of three orders.
std::string Maker::gated(const std::string& x, const std::string& gate) {
  const std::string sum = node("Add", {gate, scalar(1)});
  const int64_t order = dice_.below(3);
  if (order == 0) return node("Mul", {node("Mul", {x, sum}), scalar(0.5F)});
  if (order == 1) return node("Mul", {node("Mul", {x, scalar(0.5F)}), sum});
  return node("Mul", {x, node("Mul", {sum, scalar(0.5F)})});
}

std::string Maker::tanh_gelu(const std::string& x) {
  const std::string cube =
      dice_.one_in(3) ? node("Pow", {x, scalar(3)}) : node("Mul", {x, node("Mul", {x, x})});
  const std::string sum = node("Add", {x, node("Mul", {cube, scalar(0.044715F)})});
  return gated(x, node("Tanh", {node("Mul", {sum, scalar(0.7978845608F)})}));
}

Made Maker::spelled_out(const Made& x) {
  const int64_t last = static_cast<int64_t>(x.shape.size()) - 1;
  switch (dice_.below(7)) {
    case 6:
      return {tanh_gelu(x.name), x.shape};
    case 5:
      return {node("Pow", {node("Sigmoid", {x.name}), scalar(2)}), x.shape};
    case 0: {  // hard swish
      const std::string gate = clip(node("Add", {x.name, scalar(3)}), 0, 6);
      if (dice_.one_in(2)) return {node("Div", {node("Mul", {x.name, gate}), scalar(6)}), x.shape};
      return {node("Mul", {x.name, node("Div", {gate, scalar(6)})}), x.shape};
    }
    case 1:  // swish
      return {node("Mul", {x.name, node("Sigmoid", {x.name})}), x.shape};
    case 2: {  // GELU
      const std::string inner = dice_.one_in(2) ? node("Div", {x.name, scalar(std::sqrt(2.0F))})
                                                : node("Mul", {x.name, scalar(std::sqrt(0.5F))});
      return {gated(x.name, node("Erf", {inner})), x.shape};
    }
    case 3:  // hard sigmoid
      return {node("Div", {clip(node("Add", {x.name, scalar(3)}), 0, 6), scalar(6)}), x.shape};
    default: {  // layer normalization
      if (x.shape.back() < 2) return activation(x);
      // Behind a Cast the runtime makes a kernel of it that it does not have.
      const auto other = dice_.one_in(2) ? pick_like(x) : std::nullopt;
      const std::string turned = other ? node("Add", {x.name, other->name}) : node("Neg", {x.name});
      const std::string mean = node("ReduceMean", {turned}, {{"axes", Shape{last}}});
      const std::string centred = node("Sub", {turned, mean});
      const bool by_product = dice_.one_in(3);
      const std::string square =
          by_product ? node("Mul", {centred, centred}) : node("Pow", {centred, scalar(2)});
      const std::string variance = node("ReduceMean", {square}, {{"axes", Shape{last}}});
      const std::string deviation = node("Sqrt", {node("Add", {variance, scalar(0.01F)})});
      const std::string normal = by_product
                                     ? node("Mul", {centred, node("Reciprocal", {deviation})})
                                     : node("Div", {centred, deviation});
      const std::string scaled = node("Mul", {normal, constant({x.shape.back()}, 0.5F, 1.5F)});
      return {node("Add", {scaled, constant({x.shape.back()}, -1, 1)}), x.shape};
    }
  }
}

Made Maker::together(const Made& x) {
  const auto other = pick_like(x);
  if (!other) return affine(x);
  if (dice_.one_in(3) && channels(x) > 0) {
    Shape shape = x.shape;
    shape[1] *= 2;
    return {node("Concat", {x.name, other->name}, {{"axis", int64_t{1}}}), shape};
  }
  static const std::array ops = {"Add", "Mul", "Sub", "Max", "Min"};
  return {node(ops[static_cast<size_t>(dice_.below(5))], {x.name, other->name}), x.shape};
}

Made Maker::convolution(const Made& x) {
  const size_t spatial = x.shape.size() - 2;
  if (x.shape.size() < 3 || channels(x) < 1 || channels(x) > 64) return activation(x);
  const int64_t kernel = dice_.one_in(2) ? 1 : 3;
  const bool depthwise = dice_.one_in(4);
  const bool transposed = !depthwise && dice_.one_in(5);
  const int64_t any = dice_.one_in(4) ? 64 - 4 * dice_.below(3) : 1 + dice_.below(12);
  const int64_t out = depthwise ? channels(x) : any;
  Shape weights = {out, depthwise ? 1 : channels(x)};
  if (transposed) std::swap(weights[0], weights[1]);
  for (size_t i = 0; i < spatial; ++i) weights.push_back(kernel);
  const float scale = 1.0F / std::sqrt(static_cast<float>((depthwise ? 1 : channels(x)) * kernel));
  std::vector<std::string> inputs = {x.name, constant(weights, -scale, scale)};
  if (dice_.one_in(2)) inputs.push_back(constant({out}, -1, 1));
  Attributes attributes = {{"pads", Shape(2 * spatial, kernel / 2)}};
  if (depthwise) attributes.push_back({"group", channels(x)});
  Shape shape = x.shape;
  shape[1] = out;
  const Made y = {node(transposed ? "ConvTranspose" : "Conv", inputs, attributes), shape};
  if (spatial != 2 || out % 8 != 0 || dice_.one_in(2)) return y;
  return {node("MaxPool", {affine(affine(activation(y))).name},
               {{"kernel_shape", Shape{3, 3}}, {"pads", Shape(4, 1)}}),
          shape};
}

/// Convolutions whose channels fill most of a few blocks, the last one's taken apart.
Made Maker::wide(const Made& x) {
  if (x.shape.size() != 4 || channels(x) < 1 || channels(x) > 64) return convolution(x);
  const int64_t part = 17 + dice_.below(6);
  Made y = x;
  for (const int64_t out : {3 * part, 2 * part}) {
    const Shape weights = {out, y.shape[1], 3, 3};
    const float scale = 1.0F / std::sqrt(static_cast<float>(9 * y.shape[1]));
    y.name = node("Conv", {y.name, constant(weights, -scale, scale)}, {{"pads", Shape(4, 1)}});
    y.shape[1] = out;
    if (out != 2 * part) y.name = node("Relu", {y.name});
  }
  if (dice_.opset < 10) return y;
  const auto half = [&](int64_t at) {
    return node("Slice", {y.name, integers({at}), integers({at + part}), integers({1})});
  };
  y.shape[1] = part;
  return {node("Mul", {half(0), node("Sigmoid", {half(part)})}), y.shape};
}

Made Maker::normalization(const Made& x) {
  const int64_t count = channels(x);
  if (x.shape.size() < 3 || count < 1) return affine(x);
  std::vector<std::string> inputs = {x.name};
  for (const float low : {0.5F, -1.0F, -1.0F, 0.5F})
    inputs.push_back(constant({count}, low, low + 1));
  return {node("BatchNormalization", inputs), x.shape};
}

Made Maker::pooling(const Made& x) {
  if (x.shape.size() < 3 || std::count(x.shape.begin() + 2, x.shape.end(), -1) > 0)
    return activation(x);
  Shape shape = x.shape;
  const size_t spatial = x.shape.size() - 2;
  if (dice_.one_in(4)) {
    std::fill(shape.begin() + 2, shape.end(), 1);
    return {node("GlobalAveragePool", {x.name}), shape};
  }
  const int64_t window = 1 + dice_.below(2);
  for (size_t i = 2; i < shape.size(); ++i) {
    if (shape[i] < window) return activation(x);
    shape[i] = (shape[i] - window) / window + 1;
  }
  return {node(dice_.one_in(2) ? "MaxPool" : "AveragePool", {x.name},
               {{"kernel_shape", Shape(spatial, window)}, {"strides", Shape(spatial, window)}}),
          shape};
}

Made Maker::product(const Made& x) {
  const int64_t inner = x.shape.back();
  if (x.shape.size() < 2 || inner < 1 || inner > 64) return activation(x);
  const bool classifies = x.shape.size() > 2 && dice_.one_in(6);
  const int64_t columns = (classifies ? 1000 : 1) + dice_.below(12);
  const float scale = 1.0F / std::sqrt(static_cast<float>(inner));
  Shape shape = x.shape;
  shape.back() = columns;
  if (x.shape.size() == 2 && dice_.one_in(2)) {
    const bool turned = dice_.one_in(2);
    const Shape weights = turned ? Shape{columns, inner} : Shape{inner, columns};
    std::vector<std::string> inputs = {x.name, constant(weights, -scale, scale)};
    if (dice_.opset < 11 || dice_.one_in(2)) inputs.push_back(constant({columns}, -1, 1));
    return {node("Gemm", inputs,
                 {{"transB", int64_t{turned}}, {"alpha", dice_.one_in(3) ? 0.5F : 1.0F}}),
            shape};
  }
  std::string made = node("MatMul", {x.name, constant({inner, columns}, -scale, scale)});
  if (classifies || dice_.one_in(2)) made = node("Add", {made, constant({columns}, -1, 1)});
  if (classifies)
    made = node("Softmax", {made}, {{"axis", static_cast<int64_t>(shape.size()) - 1}});
  return {made, shape};
}

Made Maker::layout(const Made& x) {
  Shape axes(x.shape.size());
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  std::shuffle(axes.begin() + (dice_.one_in(3) ? 0 : 1), axes.end(), dice_.numbers);
  Shape shape;
  for (const int64_t axis : axes) shape.push_back(x.shape[static_cast<size_t>(axis)]);
  return {node("Transpose", {x.name}, {{"perm", axes}}), shape};
}

Made Maker::reshaped(const Made& x) {
  const bool one_free = std::count(x.shape.begin(), x.shape.end(), -1) <= 1;
  Shape shape = x.shape;
  switch (dice_.below(5)) {
    case 0: {
      const int64_t axis = dice_.below(static_cast<int64_t>(shape.size()) + 1);
      shape.insert(shape.begin() + axis, 1);
      if (shape.size() > 5) return activation(x);
      return {with_integers("Unsqueeze", x, {"axes", 13}, {axis}), shape};
    }
    case 1: {
      const auto it = std::find(shape.begin(), shape.end(), 1);
      if (it == shape.end() || shape.size() < 3) return activation(x);
      const int64_t axis = it - shape.begin();
      shape.erase(it);
      return {with_integers("Squeeze", x, {"axes", 13}, {axis}), shape};
    }
    case 2: {
      if (std::count(shape.begin() + 1, shape.end(), -1) > 0) return activation(x);
      int64_t rest = 1;
      for (size_t i = 1; i < shape.size(); ++i) rest *= shape[i];
      return {node("Flatten", {x.name}), {shape[0], rest}};
    }
    case 3:  // the shape that it has
      return {node("Reshape", {x.name, node("Shape", {x.name})}), shape};
    default: {
      if (!one_free || shape.size() < 2) return activation(x);
      Shape asked = shape;
      if (shape[shape.size() - 1] > 0 && shape[shape.size() - 2] > 0 && dice_.one_in(2)) {
        std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
        asked = shape;
      } else if (dice_.one_in(2)) {
        std::fill(asked.begin(), asked.end(), 0);
      }
      return {node("Reshape", {x.name, integers(asked)}), shape};
    }
  }
}

Made Maker::cut(const Made& x) {
  const int64_t axis = dice_.below(static_cast<int64_t>(x.shape.size()));
  const int64_t size = x.shape[static_cast<size_t>(axis)];
  const auto slice = [&](int64_t start, int64_t end) {
    if (dice_.opset < 10) {
      return node("Slice", {x.name},
                  {{"starts", Shape{start}}, {"ends", Shape{end}}, {"axes", Shape{axis}}});
    }
    return node("Slice", {x.name, integers({start}), integers({end}), integers({axis})});
  };
  constexpr int64_t kEnd = std::numeric_limits<int32_t>::max();
  if (size < 2 || dice_.one_in(4)) return {slice(0, kEnd), x.shape};
  const int64_t at = 1 + dice_.below(size - 1);
  if (dice_.one_in(3)) {
    return {
        node("Concat", {slice(0, at), slice(at, dice_.one_in(2) ? size : kEnd)}, {{"axis", axis}}),
        x.shape};
  }
  Shape shape = x.shape;
  shape[static_cast<size_t>(axis)] = size - at;
  return {slice(at, kEnd), shape};
}

Made Maker::padded(const Made& x) {
  const size_t rank = x.shape.size();
  Shape pads(2 * rank, 0);
  Shape shape = x.shape;
  const size_t axis = rank - 1;
  if (!dice_.one_in(3) && shape[axis] > 0) {
    pads[axis] = dice_.below(3);
    pads[rank + axis] = dice_.below(2);
    shape[axis] += pads[axis] + pads[rank + axis];
  }
  if (channels(x) > 0 && rank > 2 && dice_.one_in(3)) {
    pads[rank + 1] = 2;
    shape[1] += 2;
  }
  return {with_integers("Pad", x, {"pads", 11}, pads), shape};
}

/// One index of an axis, with the axis put back.
Made Maker::picked(const Made& x) {
  const int64_t axis = dice_.below(static_cast<int64_t>(x.shape.size()));
  Shape shape = x.shape;
  int64_t& size = shape[static_cast<size_t>(axis)];
  const int64_t index = size < 1 ? 0 : dice_.below(size) - (dice_.one_in(3) ? size : 0);
  size = 1;
  const std::string row = node(
      "Gather", {x.name, put(model::make_int64_constant(dice_.name("i"), {}, std::array{index}))},
      {{"axis", axis}});
  return {with_integers("Unsqueeze", {row, {}}, {"axes", 13}, {axis}), shape};
}

/// Reduced along one axis, which may be put back.
Made Maker::reduced(const Made& x) {
  static const std::array ops = {"ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2"};
  const int64_t axis = dice_.below(static_cast<int64_t>(x.shape.size()));
  const std::string op = ops[static_cast<size_t>(dice_.below(4))];
  Shape shape = x.shape;
  shape[static_cast<size_t>(axis)] = 1;
  const bool keeps = dice_.one_in(3) || shape.size() < 2;
  const std::string made =
      node(op, {x.name}, {{"axes", Shape{axis}}, {"keepdims", int64_t{keeps}}});
  if (keeps) return {made, shape};
  if (dice_.one_in(2)) return {with_integers("Unsqueeze", {made, {}}, {"axes", 13}, {axis}), shape};
  shape.erase(shape.begin() + axis);
  return {made, shape};
}

Made Maker::nothing(const Made& x) {
  switch (dice_.below(6)) {
    case 0:
      return {node("Identity", {x.name}), x.shape};
    case 1:
      return {node("Dropout", {x.name}), x.shape};
    case 2:
      return {node("Cast", {node("Cast", {x.name}, {{"to", int64_t{11}}})}, {{"to", int64_t{1}}}),
              x.shape};
    case 3:
      return {node("Cast", {x.name}, {{"to", int64_t{1}}}), x.shape};
    case 4:
      return {node("Expand", {x.name, integers(Shape(x.shape.size(), 1))}), x.shape};
    default:
      return {node("Tile", {x.name, integers(Shape(x.shape.size(), 1))}), x.shape};
  }
}

/// The node before once more, under another name.
Made Maker::again(const Made& x) {
  const auto same = std::find_if(
      graph_.nodes.begin(), graph_.nodes.end(),
      [&](const model::Node& node) { return node.outputs[0] == x.name && node.op_type != "If"; });
  if (same == graph_.nodes.end()) return activation(x);
  model::Node copy = *same;
  copy.name = dice_.name("again");
  copy.outputs = {copy.name + "_out"};
  const std::string made = copy.outputs[0];
  graph_.nodes.push_back(std::move(copy));
  return {node("Add", {x.name, made}), x.shape};
}

Made Maker::branches(const Made& x) {
  std::string condition;
  if (dice_.one_in(2)) {
    model::Constant constant;
    constant.name = dice_.name("condition");
    constant.type = DataType::kBool;
    constant.data = Bytes::own(std::string(1, dice_.one_in(2) ? '\1' : '\0'));
    condition = put(std::move(constant));
  } else {
    const std::string total = node("ReduceMax", {x.name}, {{"keepdims", int64_t{0}}});
    condition =
        node("Greater",
             {total, put(model::make_float_constant(dice_.name("s"), {}, std::array{0.25F}))});
  }
  Attributes attributes;
  for (const char* name : {"then_branch", "else_branch"}) {
    auto inner = std::make_shared<model::Graph>();
    inner->name = name;
    Maker maker(dice_, *inner, values_);
    const Made first = maker.elementwise(x);
    const Made end = maker.elementwise(first);
    model::Value& output = inner->outputs.emplace_back();
    output.name = end.name;
    output.type = DataType::kFloat;
    attributes.push_back({name, std::move(inner)});
  }
  return {node("If", {condition}, std::move(attributes)), x.shape};
}

Made Maker::elementwise(const Made& x) {
  switch (dice_.below(4)) {
    case 0:
      return affine(x);
    case 1:
      return spelled_out(x);
    case 2:
      return nothing(x);
    default:
      return activation(x);
  }
}

void Maker::grow(int64_t steps, bool may_branch) {
  using Step = Made (Maker::*)(const Made&);
  static constexpr std::array<Step, 20> kSteps = {
      &Maker::affine,        &Maker::affine,   &Maker::activation,  &Maker::spelled_out,
      &Maker::together,      &Maker::together, &Maker::convolution, &Maker::convolution,
      &Maker::normalization, &Maker::pooling,  &Maker::product,     &Maker::layout,
      &Maker::reshaped,      &Maker::reshaped, &Maker::cut,         &Maker::padded,
      &Maker::wide,          &Maker::nothing,  &Maker::picked,      &Maker::reduced};
  for (int64_t i = 0; i < steps; ++i) {
    const Made x = dice_.one_in(4) ? pick() : last();
    if (dice_.one_in(12)) {
      values_.push_back(again(x));
    } else if (may_branch && dice_.one_in(12)) {
      values_.push_back(branches(x));
    } else {
      values_.push_back((this->*kSteps[static_cast<size_t>(dice_.below(kSteps.size()))])(x));
    }
  }
}

Shape input_shape(Dice& dice) {
  const int64_t batch = dice.one_in(2) ? -1 : 1 + dice.below(2);
  switch (dice.below(3)) {
    case 0:
      return {batch, 1 + dice.below(9), 3 + dice.below(4), 4};
    case 1:
      return {batch, 1 + dice.below(9), dice.one_in(3) ? -1 : 5};
    default:
      return {batch, 1 + dice.below(16)};
  }
}

}  // namespace

model::Model random_model(uint64_t seed) {
  Dice dice;
  dice.numbers.seed(seed);
  dice.opset = 9 + dice.below(9);
  const bool old = dice.one_in(8);
  dice.constants_as_nodes = old || dice.one_in(4);
  ModelBuilder b(dice.opset, old ? 3 : 8);
  const Shape shape = input_shape(dice);
  b.input("x", shape);
  Maker maker(dice, b.model().graph, {{"x", shape}});
  maker.grow(4 + dice.below(12), true);
  const Made end = maker.elementwise(maker.last());
  b.output(end.name);
  const Made& middle =
      maker.values()[static_cast<size_t>(dice.below(static_cast<int64_t>(maker.values().size())))];
  if (dice.one_in(2) && middle.name != "x" && middle.name != end.name) b.output(middle.name);
  return std::move(b.model());
}

}  // namespace wattwise::optimize::testing
