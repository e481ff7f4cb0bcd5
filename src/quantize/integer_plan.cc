// SPDX-License-Identifier: Apache-2.0
#include "quantize/integer_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "optimize/affine.h"
#include "quantize/integer_cost.h"
#include "quantize/min_cut.h"

namespace wattwise::quantize {
namespace {

using optimize::GraphEditor;

/// What reading an operator needs.
struct Reading {
  GraphEditor& graph;
  const model::ShapeTable& shapes;

  const std::vector<int64_t>* float_shape(const std::string& value) const {
    const auto it = shapes.find(value);
    return it != shapes.end() && it->second.type == DataType::kFloat ? &it->second.shape : nullptr;
  }
  /// A float value that changes from inference to inference.
  bool is_activation(const std::string& value) const {
    return !value.empty() && float_shape(value) && graph.changes(value);
  }
  double elements(const std::string& value) const {
    double count = 1;
    for (const int64_t dim : *float_shape(value))
      count *= static_cast<double>(std::max<int64_t>(dim, 1));
    return count;
  }
};

/// Takes a step's form and inputs from the node; false if it has no integer form as it stands.
using Reader = bool (*)(const Reading& reading, IntegerStep& step);

bool read_convolution(const Reading& reading, IntegerStep& step) {
  const model::Node& node = *step.node;
  const model::Constant* weights = reading.graph.constant(node.inputs[1]);
  if (!weights || weights->type != DataType::kFloat || weights->shape.size() < 3) return false;
  if (node.inputs.size() > 2 && !node.inputs[2].empty()) {
    const model::Constant* bias = reading.graph.constant(node.inputs[2]);
    if (!bias || bias->type != DataType::kFloat) return false;
  }
  step.form = IntegerForm::kConvolution;
  step.inputs = {node.inputs[0]};
  return true;
}

bool read_arithmetic(const Reading&, IntegerStep& step) {
  step.form = IntegerForm::kArithmetic;
  step.inputs = step.node->inputs;
  return true;
}

bool read_move(const Reading&, IntegerStep& step) {
  step.form = IntegerForm::kMove;
  step.inputs = {step.node->inputs[0]};
  return step.node->outputs.size() == 1;
}

bool read_nearest(const Reading& reading, IntegerStep& step) {
  return step.node->string_or("mode", "nearest") == "nearest" && read_move(reading, step);
}

/// One number, or many equal ones.
std::optional<double> number(const optimize::Array& array) {
  return array.all(array.values.front()) ? std::optional(array.values.front()) : std::nullopt;
}

bool read_affine(const Reading& reading, IntegerStep& step) {
  const auto* shape = reading.float_shape(step.node->inputs[0]);
  const auto affine =
      optimize::affine_step(reading.graph, *step.node, shape ? shape->size() : size_t{0});
  if (!affine || !optimize::keeps_axes(reading.shapes, *affine)) return false;
  const auto scale = number(affine->affine.scale);
  const auto shift = number(affine->affine.shift);
  const auto* in = reading.float_shape(affine->input);
  const auto* out = reading.float_shape(step.node->outputs[0]);
  if (!scale || !shift || *scale <= 0 || !in || !out || *in != *out) return false;
  step.form = IntegerForm::kView;
  step.inputs = {affine->input};
  step.view = {*scale, *shift};
  return true;
}

bool read_sum_or_product(const Reading& reading, IntegerStep& step) {
  return read_affine(reading, step) || read_arithmetic(reading, step);
}

bool read_hard_sigmoid(const Reading&, IntegerStep& step) {
  step.form = IntegerForm::kView;
  step.inputs = {step.node->inputs[0]};
  step.view = {step.node->float_or("alpha", 0.2F), step.node->float_or("beta", 0.5F), 0, 1};
  return step.view.scale > 0;
}

bool read_clip(const Reading& reading, IntegerStep& step) {
  const auto view = clip_view(reading.graph, *step.node);
  if (!view) return false;
  step.form = IntegerForm::kView;
  step.inputs = {step.node->inputs[0]};
  step.view = *view;
  return true;
}

struct OperatorRow {
  std::string_view op;
  Reader read;
};

/// What ONNX Runtime's CPU provider does on 8 bits: by fusing DequantizeLinear, the operator and
/// QuantizeLinear into a kernel of its own, or on the bytes themselves.
constexpr std::array kIntegerOperators = {
    OperatorRow{"Conv", read_convolution},
    OperatorRow{"Add", read_sum_or_product},
    OperatorRow{"Mul", read_sum_or_product},
    OperatorRow{"Sub", read_affine},
    OperatorRow{"Div", read_affine},
    OperatorRow{"BatchNormalization", read_affine},
    OperatorRow{"Sigmoid", read_arithmetic},
    OperatorRow{"LeakyRelu", read_arithmetic},
    OperatorRow{"AveragePool", read_arithmetic},
    OperatorRow{"GlobalAveragePool", read_arithmetic},
    OperatorRow{"Concat", read_arithmetic},
    OperatorRow{"HardSigmoid", read_hard_sigmoid},
    OperatorRow{"Relu", read_clip},
    OperatorRow{"Clip", read_clip},
    OperatorRow{"MaxPool", read_move},
    OperatorRow{"Reshape", read_move},
    OperatorRow{"Flatten", read_move},
    OperatorRow{"Squeeze", read_move},
    OperatorRow{"Unsqueeze", read_move},
    OperatorRow{"Transpose", read_move},
    OperatorRow{"DepthToSpace", read_move},
    OperatorRow{"Resize", read_nearest},
};

std::optional<IntegerStep> read_step(const Reading& reading, model::Node& node) {
  if (!node.is_standard() || node.inputs.empty() || node.outputs.empty()) return std::nullopt;
  for (const OperatorRow& row : kIntegerOperators) {
    if (row.op != node.op_type) continue;
    IntegerStep step{{}, &node, {}, {}, node.outputs[0], {}};
    if (!reading.float_shape(node.outputs[0]) || !row.read(reading, step)) return std::nullopt;
    for (const std::string& input : step.inputs) {
      if (!reading.is_activation(input)) return std::nullopt;
    }
    return step;
  }
  return std::nullopt;
}

/// Takes a following Relu or Clip in, if nothing else sees what comes before it.
bool absorb(const Reading& reading, IntegerStep& step, const IntegerStep& next) {
  if (!computes(step) || next.form != IntegerForm::kView || next.view.scale != 1 ||
      next.view.shift != 0 || next.inputs[0] != step.output ||
      reading.graph.uses(step.output) != 1) {
    return false;
  }
  step.absorbed.push_back(next.node);
  step.output = next.output;
  step.view.low = std::max(step.view.low, next.view.low);
  step.view.high = std::min(step.view.high, next.view.high);
  return true;
}

bool clips(const View& view) { return std::isfinite(view.low) || std::isfinite(view.high); }

StepWork work_of(const Reading& reading, const IntegerStep& step) {
  StepWork work;
  work.outputs = reading.elements(step.node->outputs[0]);
  for (const std::string& input : step.inputs) {
    work.outputs = std::max(work.outputs, reading.elements(input));
  }
  if (step.form != IntegerForm::kConvolution) return work;
  const auto& weights = reading.graph.constant(step.node->inputs[1])->shape;
  double taps = 1;
  for (size_t axis = 1; axis < weights.size(); ++axis) taps *= static_cast<double>(weights[axis]);
  work.outputs = reading.elements(step.node->outputs[0]);
  work.multiplications = work.outputs * taps;
  work.depthwise = weights[1] == 1 && step.node->int_or("group", 1) > 1;
  return work;
}

/// Who makes and who reads a value, among the steps.
struct Traffic {
  std::optional<size_t> maker;
  std::vector<size_t> readers;
  int reads = 0;  ///< by steps
};

std::map<std::string, Traffic> traffic_of(const std::vector<IntegerStep>& steps) {
  std::map<std::string, Traffic> traffic;
  for (size_t i = 0; i < steps.size(); ++i) {
    traffic[steps[i].output].maker = i;
    for (const std::string& input : steps[i].inputs) {
      traffic[input].readers.push_back(i);
      ++traffic[input].reads;
    }
  }
  return traffic;
}

/// The candidates as a cut: near is integer. A value is changed once, however many read it: one
/// more vertex for each direction stands for the changed value.
class Partition {
 public:
  Partition(const Reading& reading, const std::vector<IntegerStep>& steps, const NoiseTable& noise)
      : steps_(steps), traffic_(traffic_of(steps)) {
    const auto holder = holders(steps);
    for (const auto& [value, flow] : traffic_) {
      Change& change = changes_[value];
      change.elements = reading.elements(value);
      change.leaves = reading.graph.uses(value) > flow.reads;
      const auto found = noise.find(holder.at(value));
      if (found != noise.end()) change.noise = found->second;
    }
  }

  std::vector<bool> solve(double ns_per_noise) const {
    const size_t outside = steps_.size() + 2 * traffic_.size();
    MinCut cut(outside + 1);
    cut.add_costs(outside, MinCut::kForbidden, 0);
    for (size_t i = 0; i < steps_.size(); ++i) {
      const double noise = computes(steps_[i]) ? changes_.at(steps_[i].output).noise : 0;
      cut.add_costs(i, steps_[i].integer_ns + ns_per_noise * noise, steps_[i].float_ns);
    }
    size_t vertex = steps_.size();
    for (const auto& [value, flow] : traffic_) {
      const Change& change = changes_.at(value);
      const size_t maker = flow.maker.value_or(outside);
      const size_t as_integer = vertex++;
      const size_t as_float = vertex++;
      cut.add_edge(as_integer, maker, quantize_ns(change.elements) + ns_per_noise * change.noise);
      cut.add_edge(maker, as_float, dequantize_ns(change.elements));
      for (const size_t reader : flow.readers) {
        cut.add_edge(reader, as_integer, MinCut::kForbidden);
        cut.add_edge(as_float, reader, MinCut::kForbidden);
      }
      if (change.leaves) cut.add_edge(as_float, outside, MinCut::kForbidden);
    }
    return cut.solve();
  }

  /// Time and noise of a choice.
  void measure(const std::vector<bool>& sides, IntegerPlan& plan) const {
    for (size_t i = 0; i < steps_.size(); ++i) {
      plan.ns += sides[i] ? steps_[i].integer_ns : steps_[i].float_ns;
    }
    for (const auto& [value, flow] : traffic_) {
      const Change& change = changes_.at(value);
      const bool made = flow.maker && sides[*flow.maker];
      const auto reads = [&](size_t reader) { return sides[reader]; };
      const bool read = std::any_of(flow.readers.begin(), flow.readers.end(), reads);
      const bool all = std::all_of(flow.readers.begin(), flow.readers.end(), reads);
      if (read && !made) plan.ns += quantize_ns(change.elements);
      if (made && (!all || change.leaves)) plan.ns += dequantize_ns(change.elements);
      if (made ? computes(steps_[*flow.maker]) : read) plan.noise += change.noise;
    }
  }

 private:
  struct Change {
    double elements = 0;
    double noise = 0;
    bool leaves = false;  ///< others than the steps read the value
  };
  const std::vector<IntegerStep>& steps_;
  std::map<std::string, Traffic> traffic_;
  std::map<std::string, Change> changes_;
};

Decision keep_float(const IntegerStep& step) {
  const std::string& name = step.node->name;
  return {"keep_float", name.empty() ? "Conv making " + step.node->outputs[0] : name,
          step.integer_ns >= step.float_ns
              ? fmt::format("it would take {:.0f} us on integers, {:.0f} us in float (estimated)",
                            step.integer_ns / 1e3, step.float_ns / 1e3)
              : "it would gain less on integers than changing its values to and fro, and the "
                "noise that this makes, are worth"};
}

}  // namespace

std::optional<View> clip_view(const GraphEditor& graph, const model::Node& node) {
  View view;
  if (node.is("Relu")) {
    view.low = 0;
    return view;
  }
  if (!node.is("Clip")) return std::nullopt;
  const auto bound = [&](size_t slot, double& to) {
    if (node.inputs.size() <= slot || node.inputs[slot].empty()) return true;
    const auto value = optimize::scalar_value(graph.constant(node.inputs[slot]));
    if (value) to = *value;
    return value.has_value();
  };
  const bool known = bound(1, view.low) && bound(2, view.high);
  return known && view.low <= 0 && view.high >= 0 ? std::optional(view) : std::nullopt;
}

bool computes(const IntegerStep& step) {
  return step.form == IntegerForm::kConvolution || step.form == IntegerForm::kArithmetic;
}

std::map<std::string, std::string> holders(const std::vector<IntegerStep>& steps) {
  std::map<std::string, std::string> out;
  for (const IntegerStep& step : steps) {
    for (const std::string& input : step.inputs) out.try_emplace(input, input);
    out[step.output] = computes(step) ? step.output : out.at(step.inputs[0]);
  }
  return out;
}

std::vector<IntegerStep> read_integer_steps(GraphEditor& graph, const model::ShapeTable& shapes) {
  const Reading reading{graph, shapes};
  std::vector<IntegerStep> steps;
  std::unordered_map<std::string, size_t> maker;
  for (model::Node* node : reading.graph.nodes()) {
    auto step = read_step(reading, *node);
    if (!step) continue;
    const auto before = maker.find(step->inputs[0]);
    if (before != maker.end() && absorb(reading, steps[before->second], *step)) {
      maker[step->output] = before->second;
      continue;
    }
    const StepCost cost = step_cost(node->op_type, work_of(reading, *step));
    step->float_ns = cost.float_ns;
    const bool only_read_otherwise = step->form == IntegerForm::kView && !clips(step->view);
    step->integer_ns = only_read_otherwise ? 0 : cost.integer_ns;
    maker[step->output] = steps.size();
    steps.push_back(std::move(*step));
  }
  return steps;
}

IntegerPlan plan_integers(GraphEditor& graph, const model::ShapeTable& shapes,
                          const std::vector<IntegerStep>& steps, const NoisePrice& price) {
  const Partition partition({graph, shapes}, steps, price.noise);
  const std::vector<bool> sides = partition.solve(price.ns_per_noise);
  IntegerPlan plan;
  partition.measure(sides, plan);
  for (size_t i = 0; i < steps.size(); ++i) {
    if (sides[i]) {
      plan.steps.push_back(steps[i]);
    } else if (steps[i].form == IntegerForm::kConvolution) {
      plan.decisions.push_back(keep_float(steps[i]));
    }
  }
  return plan;
}

}  // namespace wattwise::quantize
