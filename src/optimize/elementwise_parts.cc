// SPDX-License-Identifier: Apache-2.0
#include "optimize/elementwise_parts.h"

#include <cmath>

namespace wattwise::optimize {
namespace {

struct Read {
  std::string input;
  Scalar scalar;
};

std::optional<Read> read(const GraphEditor& graph, const model::ShapeTable& shapes,
                         model::Node* node) {
  const auto step = node ? affine_step(graph, *node, 0) : std::nullopt;
  const auto scalar = step ? scalar_of(shapes, *step) : std::nullopt;
  return scalar ? std::optional(Read{step->input, *scalar}) : std::nullopt;
}

}  // namespace

bool is_about(double value, double expected) {
  return std::abs(value - expected) <= 2.5e-7 * std::abs(expected);
}

std::optional<Part> scaled_part(const GraphEditor& graph, const model::ShapeTable& shapes,
                                model::Node* node) {
  const auto part = read(graph, shapes, node);
  if (!part || part->scalar.shift != 0) return std::nullopt;
  return Part{node, part->input, part->scalar.scale};
}

std::optional<Part> shifted_part(const GraphEditor& graph, const model::ShapeTable& shapes,
                                 model::Node* node) {
  const auto part = read(graph, shapes, node);
  if (!part || part->scalar.scale != 1) return std::nullopt;
  return Part{node, part->input, part->scalar.shift};
}

model::Node* only_reader(const GraphEditor& graph, const std::string& value) {
  const auto readers = graph.readers(value);
  const bool only = graph.uses(value) == 1 && readers.size() == 1;
  return only ? readers.front() : nullptr;
}

std::optional<std::string> other_factor(const model::Node* node, const std::string& factor) {
  if (!node || !node->is("Mul") || node->inputs.size() != 2) return std::nullopt;
  if (node->inputs[0] == node->inputs[1]) return std::nullopt;
  if (node->inputs[0] == factor) return node->inputs[1];
  return node->inputs[1] == factor ? std::optional(node->inputs[0]) : std::nullopt;
}

std::string add_number(GraphEditor& graph, const std::string& base, double value) {
  const auto number = static_cast<float>(value);
  return graph.add_constant(base, make_float_tensor({}, {&number, 1}));
}

bool is_float(const model::ShapeTable& shapes, const std::string& value) {
  const auto found = shapes.find(value);
  return found != shapes.end() && found->second.type == DataType::kFloat;
}

}  // namespace wattwise::optimize
