// SPDX-License-Identifier: Apache-2.0
#include "optimize/lower_spelling.h"

#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "optimize/permutation.h"

namespace wattwise::optimize {
namespace {

/// Replaces a node by several; the last one makes what the node made.
class Spelling {
 public:
  Spelling(const AdapterContext& context, model::Node& node)
      : context_(context), node_(node), output_(node.outputs[0]) {}

  std::string apply(const char* op, std::vector<std::string> inputs) {
    return add(make_node(op, std::move(inputs), context_.graph.unique(output_ + "_" + op)));
  }
  std::string add(model::Node made) {
    std::string name = made.outputs[0];
    context_.graph.add(std::move(made));
    return name;
  }
  Result<std::string> number(double value) {
    const Tensor tensor = WATTWISE_TRY(number_like_input(context_, node_, value));
    return context_.graph.add_constant(output_ + "_number", tensor);
  }
  std::string integers(const std::vector<int64_t>& values) {
    return context_.graph.add_constant(
        output_ + "_integers", make_int64_tensor({static_cast<int64_t>(values.size())}, values));
  }
  /// The node's place is taken by `last`.
  void finish(const char* op, std::vector<std::string> inputs,
              const std::vector<std::pair<std::string, model::AttributeValue>>& attributes = {}) {
    context_.graph.remove(node_);
    model::Node last = make_node(op, std::move(inputs), output_);
    for (const auto& [name, value] : attributes) last.set_attribute(name, value);
    context_.graph.add(std::move(last));
  }

 private:
  const AdapterContext& context_;
  model::Node& node_;
  std::string output_;
};

Result<void> refuse_other_outputs(const AdapterContext& context, const model::Node& node) {
  for (size_t slot = 1; slot < node.outputs.size(); ++slot) {
    if (reads_output(context, node, slot)) {
      return no_form("something reads " + node.outputs[slot] + ", which only that operator makes");
    }
  }
  return {};
}

/// From `axis` to the last one, counted from the start if the rank is known.
Result<std::vector<int64_t>> axes_from(const AdapterContext& context, const model::Node& node) {
  const int64_t axis = node.int_or("axis", -1);
  const auto rank = context.facts.rank(node.inputs[0]);
  if (axis >= 0 && !rank) return no_form("the rank of " + node.inputs[0] + " is not known");
  const int64_t first = rank ? from_start(axis, *rank) : axis;
  std::vector<int64_t> axes(static_cast<size_t>(rank ? *rank - first : -first));
  std::iota(axes.begin(), axes.end(), first);
  return axes;
}

/// x / sqrt(mean(d d) + epsilon)
Result<std::string> divided_by_deviation(Spelling& spell, const model::Node& node,
                                         const std::string& d, const std::string& variance) {
  const std::string epsilon =
      WATTWISE_TRY(spell.number(static_cast<double>(node.float_or("epsilon", 1e-5F))));
  return spell.apply("Div", {d, spell.apply("Sqrt", {spell.apply("Add", {variance, epsilon})})});
}

}  // namespace

Result<void> spell_constant_of_shape_9(const AdapterContext& context, model::Node& node) {
  const auto* given = node.attribute("value");
  const auto* value =
      given ? std::get_if<std::shared_ptr<model::Constant>>(&given->value) : nullptr;
  if (given && !value) return no_form("its value is not readable");
  constexpr float kZero = 0;
  const Tensor tensor = value ? (*value)->tensor() : make_float_tensor({1}, std::span(&kZero, 1));
  const std::string name = context.graph.add_constant(node.outputs[0] + "_value", tensor);
  Spelling(context, node).finish("Expand", {name, node.inputs[0]});
  return {};
}

// alpha elu(x / alpha): a x / a = x above 0, a (e^(x/a) - 1) below.
Result<void> spell_celu_12(const AdapterContext& context, model::Node& node) {
  Spelling spell(context, node);
  const std::string alpha =
      WATTWISE_TRY(spell.number(static_cast<double>(node.float_or("alpha", 1))));
  const std::string inner = spell.apply("Elu", {spell.apply("Div", {node.inputs[0], alpha})});
  spell.finish("Mul", {inner, alpha});
  return {};
}

Result<void> spell_greater_or_equal_12(const AdapterContext& context, model::Node& node) {
  Spelling spell(context, node);
  const auto inputs = node.inputs;
  spell.finish("Or", {spell.apply("Greater", inputs), spell.apply("Equal", inputs)});
  return {};
}

Result<void> spell_less_or_equal_12(const AdapterContext& context, model::Node& node) {
  Spelling spell(context, node);
  const auto inputs = node.inputs;
  spell.finish("Or", {spell.apply("Less", inputs), spell.apply("Equal", inputs)});
  return {};
}

// Before, all axes from `axis` on were normalized together: the same for the last axis only, which
// another one is brought to.
Result<void> spell_softmax_13(const AdapterContext& context, model::Node& node) {
  const auto rank = context.facts.rank(node.inputs[0]);
  const int64_t axis = node.int_or("axis", -1);
  if (!rank && axis != -1) return no_form("the rank of " + node.inputs[0] + " is not known");
  const int64_t last = rank ? std::max<int64_t>(*rank - 1, 0) : -1;
  node.set_attribute("axis", last);
  if (axis == -1 || *rank == 0 || from_start(axis, *rank) == last) return {};
  Permutation swap(static_cast<size_t>(*rank));
  std::iota(swap.begin(), swap.end(), int64_t{0});
  std::swap(swap[static_cast<size_t>(from_start(axis, *rank))], swap.back());
  GraphEditor& graph = context.graph;
  const std::string output = node.outputs[0];
  model::Node before =
      make_node("Transpose", {node.inputs[0]}, graph.unique(output + "_axis_last"));
  model::Node after = make_node("Transpose", {graph.unique(output + "_normal")}, output);
  before.set_attribute("perm", swap);
  after.set_attribute("perm", swap);
  graph.set_input(node, 0, before.outputs[0]);
  graph.set_outputs(node, {after.inputs[0]});
  graph.add(std::move(before));
  graph.add(std::move(after));
  return {};
}

Result<void> spell_hard_swish_14(const AdapterContext& context, model::Node& node) {
  Spelling spell(context, node);
  model::Node gate = make_node("HardSigmoid", {node.inputs[0]},
                               context.graph.unique(node.outputs[0] + "_HardSigmoid"));
  gate.set_attribute("alpha", 1.0F / 6);
  gate.set_attribute("beta", 0.5F);
  spell.finish("Mul", {node.inputs[0], spell.add(std::move(gate))});
  return {};
}

Result<void> spell_cast_like_15(const AdapterContext& context, model::Node& node) {
  const DataType type = type_of(context.graph, node.inputs[1], context.facts);
  if (type == DataType::kUndefined) return no_form("the type of its result is not known");
  Spelling(context, node).finish("Cast", {node.inputs[0]}, {{"to", static_cast<int64_t>(type)}});
  return {};
}

Result<void> spell_shape_15(const AdapterContext& context, model::Node& node) {
  if (!node.attribute("start") && !node.attribute("end")) return {};
  Spelling spell(context, node);
  const int64_t start = node.int_or("start", 0);
  const int64_t end = node.int_or("end", std::numeric_limits<int64_t>::max());
  const std::string whole = spell.apply("Shape", {node.inputs[0]});
  spell.finish("Slice", {whole, spell.integers({start}), spell.integers({end})});
  return {};
}

Result<void> spell_layer_normalization_17(const AdapterContext& context, model::Node& node) {
  WATTWISE_TRY(refuse_other_outputs(context, node));
  Spelling spell(context, node);
  const auto axes = WATTWISE_TRY(axes_from(context, node));
  const auto mean_of = [&](const std::string& value) {
    model::Node mean =
        make_node("ReduceMean", {value}, context.graph.unique(node.outputs[0] + "_mean"));
    mean.set_attribute("axes", axes);
    return spell.add(std::move(mean));
  };
  const std::string d = spell.apply("Sub", {node.inputs[0], mean_of(node.inputs[0])});
  const std::string two = WATTWISE_TRY(spell.number(2));
  const std::string variance = mean_of(spell.apply("Pow", {d, two}));
  const std::string normal = WATTWISE_TRY(divided_by_deviation(spell, node, d, variance));
  const bool shifts = has_input(node, 2);
  const std::string scale = node.inputs[1];
  if (!shifts) {
    spell.finish("Mul", {normal, scale});
    return {};
  }
  const std::string shift = node.inputs[2];
  spell.finish("Add", {spell.apply("Mul", {normal, scale}), shift});
  return {};
}

Result<void> spell_group_normalization_18(const AdapterContext& context, model::Node& node) {
  return spell_out_group_norm(context, node, false);
}

Result<void> spell_mish_18(const AdapterContext& context, model::Node& node) {
  Spelling spell(context, node);
  const std::string x = node.inputs[0];
  spell.finish("Mul", {x, spell.apply("Tanh", {spell.apply("Softplus", {x})})});
  return {};
}

// 0.5 x (1 + erf(x / sqrt 2)), or with tanh(sqrt(2 / pi) (x + 0.044715 x^3)).
Result<void> spell_gelu_20(const AdapterContext& context, model::Node& node) {
  Spelling spell(context, node);
  const std::string x = node.inputs[0];
  std::string inner;
  if (node.string_or("approximate", "none") == "tanh") {
    const std::string three = WATTWISE_TRY(spell.number(3));
    const std::string factor = WATTWISE_TRY(spell.number(0.044715));
    const std::string root = WATTWISE_TRY(spell.number(std::sqrt(2 / std::numbers::pi)));
    const std::string cube = spell.apply("Mul", {spell.apply("Pow", {x, three}), factor});
    inner = spell.apply("Tanh", {spell.apply("Mul", {spell.apply("Add", {x, cube}), root})});
  } else {
    const std::string root = WATTWISE_TRY(spell.number(std::numbers::sqrt2));
    inner = spell.apply("Erf", {spell.apply("Div", {x, root})});
  }
  const std::string one = WATTWISE_TRY(spell.number(1));
  const std::string half = WATTWISE_TRY(spell.number(0.5));
  spell.finish("Mul", {spell.apply("Mul", {x, spell.apply("Add", {inner, one})}), half});
  return {};
}

Result<void> spell_group_normalization_21(const AdapterContext& context, model::Node& node) {
  return spell_out_group_norm(context, node, true);
}

Result<void> spell_rms_normalization_23(const AdapterContext& context, model::Node& node) {
  Spelling spell(context, node);
  const std::string x = node.inputs[0];
  const std::string axes = spell.integers(WATTWISE_TRY(axes_from(context, node)));
  const std::string two = WATTWISE_TRY(spell.number(2));
  const std::string mean = spell.apply("ReduceMean", {spell.apply("Pow", {x, two}), axes});
  const std::string normal = WATTWISE_TRY(divided_by_deviation(spell, node, x, mean));
  spell.finish("Mul", {normal, node.inputs[1]});
  return {};
}

Result<void> spell_swish_24(const AdapterContext& context, model::Node& node) {
  Spelling spell(context, node);
  const std::string x = node.inputs[0];
  const float alpha = node.float_or("alpha", 1);
  std::string inner = x;
  if (alpha != 1) {
    const std::string number = WATTWISE_TRY(spell.number(static_cast<double>(alpha)));
    inner = spell.apply("Mul", {x, number});
  }
  spell.finish("Mul", {x, spell.apply("Sigmoid", {inner})});
  return {};
}

}  // namespace wattwise::optimize
