// SPDX-License-Identifier: Apache-2.0
// A clipped straight line is HardSigmoid, one kernel that ONNX Runtime fuses into a convolution
// before it.
//
//   before:  Add(x, 3) -> Clip(0, 6) -> Mul(x) -> Div(6)       after:  Mul(x, HardSigmoid(x))
//   before:  Add(x, 3) -> Clip(0, 6) -> Div(6)                 after:  HardSigmoid(x)
//   before:  Mul(x, 0.2) -> Add(0.5) -> Clip(0, 1)             after:  HardSigmoid(x)
//
// clip(a x + b, 0, h) = h HardSigmoid(x) with alpha = a/h, beta = b/h. The factor h meets the scale
// that follows, directly or behind a multiplication by another value (then HardSwish), or that the
// other value has; what is left of the two stays as one Mul.
#include "optimize/elementwise_parts.h"
#include "optimize/limits.h"
#include "optimize/passes/passes.h"
#include "optimize/rewrite_graphs.h"

namespace wattwise::optimize {
namespace {

/// a x + b
struct Line {
  std::string x;
  Scalar of_x;
  std::vector<model::Node*> nodes;
};

class HardSigmoidRecognition {
 public:
  HardSigmoidRecognition(GraphEditor& graph, const model::ShapeTable& shapes, int64_t opset)
      : graph_(graph), shapes_(shapes), opset_(opset) {}

  int64_t run() {
    int64_t changed = 0;
    for (model::Node* node : graph_.nodes()) changed += rewrite(*node) ? 1 : 0;
    return changed;
  }

 private:
  bool rewrite(model::Node& clip);
  Line line_into(const std::string& value) const;
  std::optional<Part> scaled(model::Node* node) const { return scaled_part(graph_, shapes_, node); }
  void meet_scale(model::Node& scaling, const std::string& before, double high);
  bool meets_factor(model::Node& product, const std::string& clipped, double high);
  bool place(model::Node& clip, double high);

  GraphEditor& graph_;
  const model::ShapeTable& shapes_;
  int64_t opset_;
};

/// The line that ends in this value, over values that nothing else reads.
Line HardSigmoidRecognition::line_into(const std::string& value) const {
  Line line{value, {}, {}};
  while (graph_.uses(line.x) == 1) {
    model::Node* node = graph_.producer(line.x);
    const auto step = node ? affine_step(graph_, *node, 0) : std::nullopt;
    const auto scalar = step ? scalar_of(shapes_, *step) : std::nullopt;
    if (!scalar || scalar->scale == 0) break;
    line.of_x.shift += line.of_x.scale * scalar->shift;
    line.of_x.scale *= scalar->scale;
    line.nodes.push_back(node);
    line.x = step->input;
  }
  return line;
}

/// Lets the factor `high` go into a scaling of `before`, a value without that factor from now on.
void HardSigmoidRecognition::meet_scale(model::Node& scaling, const std::string& before,
                                        double high) {
  const double left = scaled(&scaling)->number * high;
  const std::string result = scaling.outputs[0];
  model::Node* maker = graph_.producer(before);
  graph_.remove(scaling);
  if (is_about(left, 1)) {
    graph_.set_outputs(*maker, {result});
    return;
  }
  const std::string factor = add_number(graph_, result + "_factor", left);
  graph_.add(make_node("Mul", {before, factor}, result));
}

/// (x / 6) * clip: the division goes.
bool HardSigmoidRecognition::meets_factor(model::Node& product, const std::string& clipped,
                                          double high) {
  const size_t slot = product.inputs[0] == clipped ? 1 : 0;
  model::Node* scaling = graph_.producer(product.inputs[slot]);
  const auto scale = scaled(scaling);
  if (!scale || !is_about(scale->number * high, 1) || graph_.uses(product.inputs[slot]) != 1)
    return false;
  graph_.set_input(product, slot, scale->input);
  graph_.remove(*scaling);
  return true;
}

/// Takes the factor `high` off what is clipped, to be made up for; false if the factor
/// finds no place.
bool HardSigmoidRecognition::place(model::Node& clip, double high) {
  const std::string clipped = clip.outputs[0];
  if (is_about(high, 1)) return true;
  model::Node* reader = only_reader(graph_, clipped);
  if (scaled(reader)) {
    meet_scale(*reader, clipped, high);
    return true;
  }
  if (!reader || !reader->is("Mul") || reader->inputs.size() != 2) return false;
  model::Node* scaling = only_reader(graph_, reader->outputs[0]);
  if (scaled(scaling)) {
    meet_scale(*scaling, reader->outputs[0], high);
    return true;
  }
  return meets_factor(*reader, clipped, high);
}

bool HardSigmoidRecognition::rewrite(model::Node& clip) {
  const auto step = clip_step(graph_, clip, opset_);
  if (!step || step->limits.low != 0 || !(step->limits.high > 0)) return false;
  if (step->limits.high >= kNoLimit) return false;
  const Line line = line_into(step->input);
  const auto high = static_cast<double>(step->limits.high);
  if (line.nodes.empty() || !place(clip, high)) return false;
  const std::string result = clip.outputs[0];
  graph_.remove(clip);
  for (model::Node* node : line.nodes) graph_.remove(*node);
  model::Node sigmoid = make_node("HardSigmoid", {line.x}, result);
  sigmoid.set_attribute("alpha", static_cast<float>(line.of_x.scale / high));
  sigmoid.set_attribute("beta", static_cast<float>(line.of_x.shift / high));
  graph_.add(std::move(sigmoid));
  return true;
}

}  // namespace

Result<PassOutcome> recognize_hard_sigmoid(model::Model& model, const PassContext& context) {
  const int64_t opset = model.opset("");
  if (opset < kFirstBroadcastingOpset) return PassOutcome();
  return rewrite_graphs(model, context,
                        [opset](GraphEditor& graph, const model::ShapeTable& shapes) {
                          return HardSigmoidRecognition(graph, shapes, opset).run();
                        });
}

}  // namespace wattwise::optimize
