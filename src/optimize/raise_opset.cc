// SPDX-License-Identifier: Apache-2.0
#include "optimize/raise_opset.h"

#include <fmt/format.h>

#include "model/graph_edit.h"
#include "optimize/opset_adapters.h"

namespace wattwise::optimize {
namespace {

Error unsupported(const std::string& what) {
  return {ErrorCode::kUnsupported, what + "; export the model again for a newer operator set"};
}

Result<void> check_range(const model::Model& model, int64_t version) {
  const int64_t from = model.opset("");
  if (from < kOldestOpset || version > kNewestOpset) {
    return unsupported(fmt::format("operator set {} cannot be raised to {}, only {} to {}", from,
                                   version, kOldestOpset, kNewestOpset));
  }
  if (!model.functions.empty()) {
    return unsupported("a model with functions of its own cannot be raised to a newer set");
  }
  return {};
}

Result<void> adapt(const AdapterContext& context, model::Node& node, int64_t version) {
  for (const AdapterRow& row : adapter_table()) {
    if (row.to != version || !node.is(row.op)) continue;
    const std::string described = fmt::format("the {} node \"{}\"", node.op_type, node.name);
    if (auto adapted = row.adapt(context, node); !adapted) {
      return unsupported(fmt::format("{} has no form in operator set {}: {}", described, version,
                                     adapted.error().message()));
    }
    break;
  }
  return {};
}

Result<void> raise_by_one(model::Model& model, int64_t version, const ShapeFacts& facts) {
  ModelEditor editor(model);
  for (GraphEditor& graph : editor.graphs()) {
    for (model::Node* node : graph.nodes()) {
      WATTWISE_TRY(adapt({graph, facts}, *node, version));
    }
  }
  return editor.finish();
}

}  // namespace

Result<void> raise_opset(model::Model& model, int64_t version, const model::ShapeTable& shapes) {
  if (model.opset("") >= version) return {};
  WATTWISE_TRY(check_range(model, version));
  model::Model raised = model::clone(model);
  const ShapeFacts facts(shapes);
  for (int64_t next = model.opset("") + 1; next <= version; ++next) {
    WATTWISE_TRY(raise_by_one(raised, next, facts));
  }
  raised.require_opset("", version);
  model = std::move(raised);
  return {};
}

}  // namespace wattwise::optimize
