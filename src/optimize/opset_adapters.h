// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "optimize/graph_editor.h"
#include "optimize/shape_facts.h"

namespace wattwise::optimize {

struct AdapterContext {
  GraphEditor& graph;
  const ShapeFacts& facts;
};

/// How an operator of the standard changed in a way that breaks its spelling in another set.
/// Operators and versions without a row only gained types, or attributes and optional inputs that
/// undo_additions() knows. Source: the standard's changelog (onnx.ai/onnx/operators).
struct AdapterRow {
  std::string_view op;
  int64_t version;  ///< the operator set that changed it
  /// Rewrites a node across that change; an error says why there is no form on the other side.
  Result<void> (*adapt)(const AdapterContext& context, model::Node& node);
};

/// From the set before `version` to `version`.
std::span<const AdapterRow> raising_adapters();
/// From `version` to the set before it.
std::span<const AdapterRow> lowering_adapters();

/// Takes away what set `version` added to the node's operator, if it says only what held before;
/// an error if it says more, or if the operator itself is new and no row spells it out.
Result<void> undo_additions(const AdapterContext& context, model::Node& node, int64_t version);

// --- what adapters of both directions use ---

Error no_form(std::string why);
void drop_attribute(model::Node& node, std::string_view name);
/// Puts a value at an input, with empty ones before it where there are none.
void put_input(const AdapterContext& context, model::Node& node, size_t slot,
               const std::string& value);
/// Type of a value, also of one of which the runtime told nothing, as in branches that it never
/// takes.
DataType type_of(const GraphEditor& graph, const std::string& value, const ShapeFacts& facts);
/// A number of the float type that the node's first input has.
Result<Tensor> number_like_input(const AdapterContext& context, const model::Node& node,
                                 double value);
bool reads_output(const AdapterContext& context, const model::Node& node, size_t slot);
void drop_inputs_from(const AdapterContext& context, model::Node& node, size_t slot);
/// The constant integers at an input; absent if nothing is there, an error if they are computed.
Result<std::optional<std::vector<int64_t>>> given_integers(const AdapterContext& context,
                                                           const model::Node& node, size_t slot);
/// Of the first input.
Result<int64_t> known_rank(const AdapterContext& context, const model::Node& node);
/// GroupNormalization by InstanceNormalization. Its scale and shift are for channels, or, in sets
/// before 21, for groups. Needs the rank of the first input if they are for channels.
Result<void> spell_out_group_norm(const AdapterContext& context, model::Node& node,
                                  bool for_channels);

}  // namespace wattwise::optimize
