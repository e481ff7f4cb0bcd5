// SPDX-License-Identifier: Apache-2.0
// Casts that lose nothing need not be done in steps, nor at all.
//
//   before:  Cast(x: float, to float) -> y                        after:  x
//   before:  Cast(x: float, to double) -> d;  Cast(d, to float)   after:  x
//   before:  Cast(x: int32, to int64) -> l;  Cast(l, to int8)     after:  Cast(x, to int8)
//
// Exact: a cast to the type that a value has is the identity; and a first cast that keeps every
// number of its type leaves the second the same numbers to convert. Where numbers may be out of the
// last type's range, which each pair of types treats in its own way, the step in between is only
// left out between whole numbers (they wrap alike) and between floats (they saturate alike).
#include <algorithm>
#include <array>

#include "optimize/bypass.h"
#include "optimize/passes/passes.h"
#include "optimize/shape_facts.h"

namespace wattwise::optimize {
namespace {

/// Whole numbers of `digits` bits besides the sign, or floats with so many in the significand.
struct Numbers {
  DataType type;
  bool is_float;
  bool is_signed;
  int digits;
  int exponent_bits;
};

constexpr std::array kNumbers = {
    Numbers{DataType::kBool, false, false, 1, 0},   Numbers{DataType::kUint8, false, false, 8, 0},
    Numbers{DataType::kInt8, false, true, 7, 0},    Numbers{DataType::kUint16, false, false, 16, 0},
    Numbers{DataType::kInt16, false, true, 15, 0},  Numbers{DataType::kUint32, false, false, 32, 0},
    Numbers{DataType::kInt32, false, true, 31, 0},  Numbers{DataType::kUint64, false, false, 64, 0},
    Numbers{DataType::kInt64, false, true, 63, 0},  Numbers{DataType::kBfloat16, true, true, 8, 8},
    Numbers{DataType::kFloat16, true, true, 11, 5}, Numbers{DataType::kFloat, true, true, 24, 8},
    Numbers{DataType::kDouble, true, true, 53, 11}};

const Numbers* find_numbers(DataType type) {
  const auto it = std::find_if(kNumbers.begin(), kNumbers.end(),
                               [&](const Numbers& row) { return row.type == type; });
  return it == kNumbers.end() ? nullptr : &*it;
}

/// Every number of `from` is one of `to`.
bool keeps_all(const Numbers& from, const Numbers& to) {
  if (from.type == to.type) return true;
  if (from.is_float && !to.is_float) return false;
  if (!to.is_float && to.type == DataType::kBool) return false;
  if (from.is_signed && !to.is_signed) return false;
  // Half floats hold whole numbers up to 2^11 only, all of which their exponent reaches.
  return from.digits <= to.digits && from.exponent_bits <= to.exponent_bits;
}

DataType target(const model::Node& cast) { return static_cast<DataType>(cast.int_or("to", 0)); }

/// True if Cast(Cast(x, middle), last) is Cast(x, last).
bool may_skip(const Numbers& from, const Numbers& middle, const Numbers& last) {
  if (!keeps_all(from, middle)) return false;
  const bool alike = from.is_float == middle.is_float && from.type != DataType::kBool;
  return alike || keeps_all(from, last);
}

/// A cast of a cast reads what the first one read, if the first one loses nothing.
bool skip_first_cast(GraphEditor& graph, model::Node& cast, const ShapeFacts& facts) {
  const model::Node* first = graph.producer_if(cast.inputs[0], "Cast");
  if (!first) return false;
  const Numbers* from = find_numbers(facts.type(first->inputs[0]));
  const Numbers* middle = find_numbers(target(*first));
  const Numbers* last = find_numbers(target(cast));
  if (!from || !middle || !last || !may_skip(*from, *middle, *last)) return false;
  graph.set_input(cast, 0, first->inputs[0]);
  return true;
}

}  // namespace

Result<PassOutcome> remove_noop_casts(model::Model& model, const PassContext& context) {
  const auto is_cast = [](const model::Node& node) { return node.is("Cast"); };
  if (!any_node(model, is_cast)) return PassOutcome();
  const ShapeFacts facts(*WATTWISE_TRY(context.shapes(model)));
  PassOutcome outcome;
  ModelEditor& editor = context.open(model);
  for (GraphEditor& graph : editor.graphs()) {
    for (model::Node* node : graph.nodes()) {
      if (!is_cast(*node)) continue;
      if (skip_first_cast(graph, *node, facts)) ++outcome.changed;
      const std::string value = node->inputs[0];
      if (facts.type(value) == target(*node) && bypass(graph, *node, value)) ++outcome.changed;
    }
  }
  WATTWISE_TRY(editor.finish());
  return outcome;
}

}  // namespace wattwise::optimize
