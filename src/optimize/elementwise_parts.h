// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "optimize/affine.h"
#include "optimize/graph_editor.h"
#include "optimize/optimize.h"

// Small pieces of spelled-out functions, read in every form that exporters give them.
namespace wattwise::optimize {

/// Equal but for rounding to float.
bool is_about(double value, double expected);

/// `input` times a number, or plus a number.
struct Part {
  model::Node* node = nullptr;
  std::string input;
  double number = 0;
};
std::optional<Part> scaled_part(const GraphEditor& graph, const model::ShapeTable& shapes,
                                model::Node* node);
std::optional<Part> shifted_part(const GraphEditor& graph, const model::ShapeTable& shapes,
                                 model::Node* node);

/// The node that alone reads the value, which is no output; null otherwise.
model::Node* only_reader(const GraphEditor& graph, const std::string& value);
/// For a Mul of two values, the one that is not `factor`; absent for another node, or a square.
std::optional<std::string> other_factor(const model::Node* node, const std::string& factor);
/// Adds a float initializer that is one number.
std::string add_number(GraphEditor& graph, const std::string& base, double value);
/// Whether the value is known to hold floats.
bool is_float(const model::ShapeTable& shapes, const std::string& value);

}  // namespace wattwise::optimize
