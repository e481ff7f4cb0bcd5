// SPDX-License-Identifier: Apache-2.0
#include "optimize/erf_gelu.h"

#include <numbers>

#include "optimize/elementwise_parts.h"

namespace wattwise::optimize {
namespace {

class GeluReader {
 public:
  GeluReader(const GraphEditor& graph, const model::ShapeTable& shapes)
      : graph_(graph), shapes_(shapes) {}

  std::optional<ErfGelu> read(model::Node& erf) const;

 private:
  bool read_product(const std::string& sum, ErfGelu& gelu) const;
  std::optional<Part> halved(model::Node* node) const;

  const GraphEditor& graph_;
  const model::ShapeTable& shapes_;
};

std::optional<Part> GeluReader::halved(model::Node* node) const {
  auto part = scaled_part(graph_, shapes_, node);
  return part && is_about(part->number, 0.5) ? part : std::nullopt;
}

std::optional<ErfGelu> GeluReader::read(model::Node& erf) const {
  const std::string& argument = erf.inputs[0];
  model::Node* scaling = graph_.producer(argument);
  const auto scaled = scaled_part(graph_, shapes_, scaling);
  if (!scaled || graph_.uses(argument) != 1) return std::nullopt;
  if (!is_about(scaled->number, 1 / std::numbers::sqrt2)) return std::nullopt;
  model::Node* adding = only_reader(graph_, erf.outputs[0]);
  const auto sum = shifted_part(graph_, shapes_, adding);
  if (!sum || sum->number != 1) return std::nullopt;
  ErfGelu gelu{scaled->input, "", {&erf, scaling, adding}};
  if (!read_product(adding->outputs[0], gelu)) return std::nullopt;
  gelu.known = gelu.known && scaling->is("Div") && adding->is("Add");
  return gelu;
}

/// The product of x, 0.5 and the sum, in any order.
bool GeluReader::read_product(const std::string& sum, ErfGelu& gelu) const {
  model::Node* first = only_reader(graph_, sum);
  if (!first) return false;
  model::Node* second = only_reader(graph_, first->outputs[0]);
  const auto factor = other_factor(first, sum);
  if (halved(first) && second && other_factor(second, first->outputs[0]) == gelu.x) {
    gelu.known = false;
  } else if (factor == gelu.x && halved(second)) {
    gelu.known = second->is("Mul");
  } else if (factor && graph_.uses(*factor) == 1) {
    second = graph_.producer(*factor);
    const auto half = halved(second);
    if (!half || half->input != gelu.x) return false;
    gelu.known = second->is("Mul");
    gelu.result = first->outputs[0];
  } else {
    return false;
  }
  if (gelu.result.empty()) gelu.result = second->outputs[0];
  gelu.nodes.push_back(first);
  gelu.nodes.push_back(second);
  return true;
}

}  // namespace

std::optional<ErfGelu> read_erf_gelu(const GraphEditor& graph, const model::ShapeTable& shapes,
                                     model::Node& erf) {
  return GeluReader(graph, shapes).read(erf);
}

}  // namespace wattwise::optimize
