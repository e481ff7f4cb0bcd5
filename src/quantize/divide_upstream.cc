// SPDX-License-Identifier: Apache-2.0
#include "quantize/divide_upstream.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>

#include "optimize/affine.h"

namespace wattwise::quantize {
namespace {

using optimize::Array;
using optimize::GraphEditor;
using Shape = std::vector<int64_t>;

int64_t product(const Shape& shape, size_t first = 0) {
  return std::accumulate(shape.begin() + static_cast<ptrdiff_t>(first), shape.end(), int64_t{1},
                         std::multiplies<>());
}

/// Ones in front, up to this rank.
Array with_rank(Array array, size_t rank) {
  if (array.shape.size() < rank)
    array.shape.insert(array.shape.begin(), rank - array.shape.size(), 1);
  return array;
}

/// The way from a value to the constants that make it.
class Upstream {
 public:
  Upstream(GraphEditor& graph, const model::ShapeTable& shapes) : graph_(graph), shapes_(shapes) {}

  /// Finds the way and what to do on it; `factors` line up with the value's last axes.
  bool follow(const std::string& value, const Array& factors) {
    model::Node* node = graph_.producer(value);
    if (!node || node->outputs[0] != value) return false;
    for (const Rule& rule : kRules) {
      if (node->is(rule.op)) return (this->*rule.follow)(*node, factors);
    }
    return false;
  }

  void change() {
    for (const Change& change : changes_) {
      const std::string& old = change.node->inputs[change.slot];
      graph_.set_input(*change.node, change.slot,
                       graph_.add_constant(old + "_smoothed", change.tensor));
    }
  }

 private:
  struct Change {
    model::Node* node;
    size_t slot;
    Tensor tensor;
  };
  struct Rule {
    std::string_view op;
    bool (Upstream::*follow)(model::Node& node, const Array& factors);
  };
  static const Rule kRules[7];

  /// True if one node reads the value for more than its shape.
  bool has_one_reader(const std::string& value) const {
    if (graph_.is_output(value)) return false;
    int shape_readers = 0;
    for (const model::Node* reader : graph_.readers(value)) shape_readers += reader->is("Shape");
    return graph_.uses(value) - shape_readers == 1;
  }

  bool follow_input(const std::string& value, const Array& factors) {
    return has_one_reader(value) && follow(value, factors);
  }

  /// Plans a constant times the factors (or their inverse); false if they do not fit.
  bool multiply(model::Node& node, size_t slot, const Array& factors) {
    const auto constant = optimize::array_of(graph_.constant(node.inputs[slot]));
    // One number may be part of a function that the runtime knows as a whole, such as Gelu.
    if (!constant || constant->values.size() == 1) return false;
    const auto changed = optimize::broadcast(*constant, factors, optimize::times);
    const auto tensor = changed ? optimize::float_tensor(*changed) : std::nullopt;
    if (!tensor) return false;
    changes_.push_back({&node, slot, *tensor});
    return true;
  }

  /// The slot that holds a constant, if one of two does.
  std::optional<size_t> constant_slot(const model::Node& node) const {
    for (const size_t slot : {size_t{1}, size_t{0}}) {
      if (graph_.constant(node.inputs[slot])) return slot;
    }
    return std::nullopt;
  }

  /// The sizes of a value's last axes that are known, at most `rank` of them.
  std::optional<Shape> shape_of(const std::string& value) const {
    const auto it = shapes_.find(value);
    return it == shapes_.end() ? std::nullopt : std::optional(it->second.shape);
  }

  bool follow_mul(model::Node& node, const Array& factors) {
    const auto slot = constant_slot(node);
    return slot && multiply(node, *slot, factors);
  }

  bool follow_div(model::Node& node, const Array& factors) {
    Array inverse = factors;
    for (double& value : inverse.values) value = 1 / value;
    return graph_.constant(node.inputs[1]) && multiply(node, 1, inverse);
  }

  bool follow_add(model::Node& node, const Array& factors) {
    const auto slot = constant_slot(node);
    return slot && multiply(node, *slot, factors) && follow_input(node.inputs[1 - *slot], factors);
  }

  bool follow_layer_norm(model::Node& node, const Array& factors) {
    const auto shape = shape_of(node.inputs[0]);
    const int64_t axis = node.int_or("axis", -1);
    if (factors.shape.size() != 1 || !shape ||
        (axis != -1 && axis + 1 != static_cast<int64_t>(shape->size()))) {
      return false;
    }
    for (size_t slot = 1; slot < node.inputs.size(); ++slot) {
      if (!node.inputs[slot].empty() && !multiply(node, slot, factors)) return false;
    }
    return true;
  }

  bool follow_matmul(model::Node& node, const Array& factors) {
    const model::Constant* weight = graph_.constant(node.inputs[1]);
    if (weight) {
      return factors.shape.size() == 1 && weight->shape.size() == 2 && multiply(node, 1, factors);
    }
    const size_t rank = factors.shape.size();
    if (rank > 1 && factors.shape[rank - 2] != 1) return false;
    // What broadcasts over several of y's batches cannot go into y.
    const auto from = shape_of(node.inputs[1]);
    const auto to = shape_of(node.outputs[0]);
    return from && to && from->size() == to->size() &&
           std::equal(from->begin(), from->end() - 2, to->begin()) &&
           follow_input(node.inputs[1], factors);
  }

  bool follow_transpose(model::Node& node, const Array& factors) {
    const auto shape = shape_of(node.outputs[0]);
    if (!shape || shape->size() < factors.shape.size()) return false;
    const size_t rank = shape->size();
    Shape order = node.ints_or_empty("perm");
    if (order.empty()) {
      for (size_t i = 0; i < rank; ++i) order.push_back(static_cast<int64_t>(rank - 1 - i));
    }
    const Array from = with_rank(factors, rank);
    Array to;
    to.shape.resize(rank);
    std::vector<size_t> strides(rank);  // in `from`, by axis of `to`
    for (size_t i = 0; i < rank; ++i) {
      const auto axis = static_cast<size_t>(order[i]);
      to.shape[axis] = from.shape[i];
      strides[axis] = static_cast<size_t>(product(from.shape, i + 1));
    }
    to.values.clear();
    for (size_t at = 0; at < from.values.size(); ++at) {
      size_t left = at;
      size_t index = 0;
      for (size_t axis = rank; axis-- > 0;) {
        const auto size = static_cast<size_t>(to.shape[axis]);
        index += left % size * strides[axis];
        left /= size;
      }
      to.values.push_back(from.values[index]);
    }
    return follow_input(node.inputs[0], to);
  }

  bool follow_reshape(model::Node& node, const Array& factors) {
    const auto from = shape_of(node.inputs[0]);
    const auto to = shape_of(node.outputs[0]);
    if (!from || !to) return false;
    // The fewest last axes on either side that hold the same elements, and all that vary.
    const auto varying = std::find_if(factors.shape.begin(), factors.shape.end(),
                                      [](int64_t size) { return size != 1; });
    size_t axes = static_cast<size_t>(factors.shape.end() - varying);
    size_t before = 1;
    while (axes <= to->size() && before <= from->size()) {
      const Shape right(to->end() - static_cast<ptrdiff_t>(axes), to->end());
      const Shape left(from->end() - static_cast<ptrdiff_t>(before), from->end());
      if (std::min(*std::min_element(right.begin(), right.end()),
                   *std::min_element(left.begin(), left.end())) < 1) {
        return false;
      }
      if (product(left) == product(right)) return follow_reshaped(node, factors, {right, left});
      ++(product(left) < product(right) ? before : axes);
    }
    return false;
  }

  struct Suffixes {
    Shape right, left;
  };
  bool follow_reshaped(model::Node& node, const Array& factors, const Suffixes& suffixes) {
    Array ones{suffixes.right,
               std::vector<double>(static_cast<size_t>(product(suffixes.right)), 1)};
    auto spread = optimize::broadcast(ones, factors, optimize::times);
    if (!spread || product(spread->shape) != product(suffixes.right)) return false;
    spread->shape = suffixes.left;
    return follow_input(node.inputs[0], *spread);
  }

  GraphEditor& graph_;
  const model::ShapeTable& shapes_;
  std::vector<Change> changes_;
};

const Upstream::Rule Upstream::kRules[7] = {
    {"Mul", &Upstream::follow_mul},         {"Div", &Upstream::follow_div},
    {"Add", &Upstream::follow_add},         {"LayerNormalization", &Upstream::follow_layer_norm},
    {"MatMul", &Upstream::follow_matmul},   {"Transpose", &Upstream::follow_transpose},
    {"Reshape", &Upstream::follow_reshape},
};

}  // namespace

bool divide_upstream(GraphEditor& graph, const model::ShapeTable& shapes, const std::string& value,
                     const std::vector<float>& divisors) {
  Array factors{{static_cast<int64_t>(divisors.size())}, {}};
  for (const float divisor : divisors) factors.values.push_back(1.0 / static_cast<double>(divisor));
  Upstream upstream(graph, shapes);
  if (!upstream.follow(value, factors)) return false;
  upstream.change();
  return true;
}

}  // namespace wattwise::quantize
