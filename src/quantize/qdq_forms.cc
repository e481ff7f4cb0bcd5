// SPDX-License-Identifier: Apache-2.0
#include "quantize/qdq_forms.h"

#include <algorithm>

#include "quantize/weights.h"

namespace wattwise::quantize {
namespace {

bool has_usual_bias(const QdqReading& reading, const model::Node& node, int64_t outputs) {
  if (node.inputs.size() < 3 || node.inputs[2].empty()) return true;
  const model::Constant* bias = reading.floats(node, 2);
  return bias && (bias->shape == std::vector<int64_t>{outputs} ||
                  (node.op_type == "Gemm" && bias->shape == std::vector<int64_t>{1, outputs}));
}

/// Scales stand for channels of the outputs only where there is one group.
bool is_usual_transposed(const QdqReading& reading, const model::Node& node,
                         const std::vector<int64_t>& shape) {
  const auto dilations = node.ints_or_empty("dilations");
  return shape.size() >= 3 && node.int_or("group", 1) == 1 &&
         std::all_of(dilations.begin(), dilations.end(), [](int64_t size) { return size == 1; }) &&
         has_usual_bias(reading, node, shape[1]);
}

/// Whether weights and bias are constants of the form that takes integers.
bool has_weights(const QdqReading& reading, const model::Node& node) {
  const model::Constant* weights = reading.floats(node, 1);
  if (!weights || weights->element_count() == 0) return false;
  const auto& shape = weights->shape;
  if (node.op_type == "Conv") {
    return shape.size() >= 3 && has_usual_bias(reading, node, shape[0]);
  }
  if (node.op_type == "ConvTranspose") return is_usual_transposed(reading, node, shape);
  if (shape.size() != 2) return false;
  if (node.op_type == "MatMul") return true;
  return node.int_or("transA", 0) == 0 && node.float_or("alpha", 1) == 1 &&
         node.float_or("beta", 1) == 1 &&
         has_usual_bias(reading, node, shape[node.int_or("transB", 0) != 0 ? 0 : 1]);
}

/// Whether the constant there, if it is one, means the same when it is rounded: of divisors, small
/// ones would become 0.
bool may_be_rounded(const QdqReading& reading, const model::Node& node, size_t slot) {
  const model::Constant* constant = reading.floats(node, slot);
  return constant && (node.op_type != "Div" || slot == 0 || constant->element_count() == 1);
}

/// One positive number for all: a base that is rounded to 0 has no other powers, and a number that
/// is rounded is no whole one any more.
bool has_usual_exponent(const QdqReading& reading, const model::Node& node) {
  const auto exponent =
      optimize::scalar_value(node.inputs.size() > 1 ? reading.floats(node, 1) : nullptr);
  return exponent && *exponent > 0;
}

/// The slots of activations, if constants are all that the operator reads beside; else none.
std::vector<size_t> operand_slots(const QdqReading& reading, const model::Node& node) {
  if (node.op_type == "Pow" && !has_usual_exponent(reading, node)) return {};
  std::vector<size_t> slots;
  for (size_t slot = 0; slot < node.inputs.size(); ++slot) {
    if (reading.changes(node.inputs[slot])) {
      slots.push_back(slot);
    } else if (!may_be_rounded(reading, node, slot)) {
      return {};
    }
  }
  return slots;
}

/// Over the last axis, with constants of its size.
bool is_usual_normalization(const QdqReading& reading, const model::Node& node) {
  const model::Constant* scale = reading.floats(node, 1);
  const auto input = reading.shapes.find(node.inputs[0]);
  if (!scale || scale->shape.size() != 1 || scale->element_count() == 0 ||
      input == reading.shapes.end() || node.outputs.size() != 1) {
    return false;
  }
  const int64_t axis = node.int_or("axis", -1);
  const bool is_last = axis == -1 || axis == static_cast<int64_t>(input->second.shape.size()) - 1;
  return is_last && has_usual_bias(reading, node, scale->shape[0]);
}

bool pads_zeros_or_copies(const QdqReading& reading, const model::Node& node) {
  const auto& inputs = node.inputs;
  if (inputs.size() < 2 || !reading.graph.constant(inputs[1]) ||
      (inputs.size() > 3 && !inputs[3].empty())) {
    return false;
  }
  const std::string mode = node.string_or("mode", "constant");
  if (mode == "reflect" || mode == "edge") return true;
  if (mode != "constant") return false;
  const bool is_given = inputs.size() > 2 && !inputs[2].empty();
  return !is_given || optimize::scalar_value(reading.floats(node, 2)) == 0.0F;
}

/// How each size behind the first two axes changes: by a whole number everywhere, which is what
/// all agree on.
struct Zoom {
  bool is_whole = false;
  bool grows = true;
};

Zoom zoom_of(const QdqReading& reading, const model::Node& node) {
  const auto from = reading.shapes.find(node.inputs[0]);
  const auto to = reading.shapes.find(node.outputs[0]);
  if (from == reading.shapes.end() || to == reading.shapes.end()) return {};
  const auto& before = from->second.shape;
  const auto& after = to->second.shape;
  if (before.size() < 3 || before.size() != after.size()) return {};
  Zoom zoom{before[0] == after[0] && before[1] == after[1], true};
  for (size_t axis = 2; axis < before.size(); ++axis) {
    if (before[axis] < 1 || after[axis] < 1) return {};
    zoom.grows = zoom.grows && after[axis] >= before[axis];
    zoom.is_whole =
        zoom.is_whole && (after[axis] % before[axis] == 0 || before[axis] % after[axis] == 0);
  }
  return zoom;
}

/// Whether the scales, if the node has them, are those of the sizes.
bool has_exact_scales(const QdqReading& reading, const model::Node& node) {
  const model::Constant* scales = reading.floats(node, 2);
  if (!scales || scales->element_count() == 0) {
    return node.inputs.size() > 3 && reading.graph.constant(node.inputs[3]);
  }
  const std::vector<float> values = optimize::float_values(*scales);
  const auto is_whole = [](float value) { return value == static_cast<float>(int64_t(value)); };
  return std::all_of(values.begin(), values.end(), [&](float scale) {
    return scale > 0 && (is_whole(scale) || is_whole(1 / scale));
  });
}

/// Which of the neighbours is nearest, and where pixels lie, is read in as many ways as there are
/// kernels; these are the forms that all take for the same.
bool is_usual_resize(const QdqReading& reading, const model::Node& node) {
  const Zoom zoom = zoom_of(reading, node);
  if (!zoom.is_whole || !has_exact_scales(reading, node) || node.int_or("antialias", 0) != 0 ||
      node.string_or("keep_aspect_ratio_policy", "stretch") != "stretch") {
    return false;
  }
  const std::string place = node.string_or("coordinate_transformation_mode", "half_pixel");
  const bool is_centred = place == "half_pixel" || place == "pytorch_half_pixel";
  const std::string mode = node.string_or("mode", "nearest");
  if (mode == "linear") return is_centred || place == "asymmetric" || place == "align_corners";
  const std::string nearest = node.string_or("nearest_mode", "round_prefer_floor");
  if (mode != "nearest" || !zoom.grows) return false;
  return is_centred ? nearest.starts_with("round_prefer")
                    : place == "asymmetric" && nearest == "floor";
}

bool moves_as_written(const QdqReading& reading, const model::Node& node) {
  if (node.op_type == "Pad") return pads_zeros_or_copies(reading, node);
  if (node.op_type == "Resize") return is_usual_resize(reading, node);
  return true;
}

}  // namespace

bool QdqReading::is_float(const std::string& value) const {
  const auto it = shapes.find(value);
  return it != shapes.end() && it->second.type == DataType::kFloat && !not_float.contains(value);
}

bool QdqReading::changes(const std::string& value) const {
  return !value.empty() && is_float(value) && graph.changes(value);
}

const model::Constant* QdqReading::floats(const model::Node& node, size_t slot) const {
  const auto* constant = node.inputs.size() > slot ? graph.constant(node.inputs[slot]) : nullptr;
  const bool is_usable =
      constant && constant->type == DataType::kFloat && is_finite(Floats(constant->data.view()));
  return is_usable ? constant : nullptr;
}

QdqForm read_form(const QdqReading& reading, const model::Node& node, QdqRole role) {
  QdqForm none{role, {}};
  QdqForm first{role,
                reading.changes(node.inputs[0]) ? std::vector<size_t>{0} : std::vector<size_t>{}};
  switch (role) {
    case QdqRole::kWeights:
      if (has_weights(reading, node)) return first;
      if (node.op_type != "MatMul") return none;
      return {QdqRole::kOperands, operand_slots(reading, node)};
    case QdqRole::kOperands:
      return {role, operand_slots(reading, node)};
    case QdqRole::kNormalization:
      return is_usual_normalization(reading, node) ? first : none;
    case QdqRole::kMove:
      return moves_as_written(reading, node) ? first : none;
    case QdqRole::kValue:
      break;
  }
  return first;
}

}  // namespace wattwise::quantize
