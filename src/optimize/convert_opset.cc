// SPDX-License-Identifier: Apache-2.0
#include "optimize/convert_opset.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "model/graph_edit.h"
#include "optimize/opset_adapters.h"

namespace wattwise::optimize {
namespace {

constexpr const char* kAdvice = "; export the model again for that operator set";

Error unsupported(const std::string& what) { return {ErrorCode::kUnsupported, what + kAdvice}; }

Result<void> check_range(const model::Model& model, int64_t version) {
  const int64_t from = model.opset("");
  if (std::min(from, version) < kOldestOpset || std::max(from, version) > kNewestOpset) {
    return unsupported(fmt::format("operator set {} cannot become {}, only {} to {}", from, version,
                                   kOldestOpset, kNewestOpset));
  }
  if (!model.functions.empty()) {
    return unsupported("a model with functions of its own cannot get another operator set");
  }
  return {};
}

Result<void> adapt(const AdapterContext& context, model::Node& node,
                   std::span<const AdapterRow> rows, int64_t changed_by) {
  for (const AdapterRow& row : rows) {
    if (row.version != changed_by || !node.is(row.op)) continue;
    WATTWISE_TRY(row.adapt(context, node));
    break;
  }
  return {};
}

/// One set further, up or down. What adapters add is of the new set already.
class Step {
 public:
  Step(int64_t from, int64_t to) : to_(to), changed_by_(std::max(from, to)), raises_(to > from) {}

  Result<void> run(model::Model& model, const ShapeFacts& facts) const {
    ModelEditor editor(model);
    for (GraphEditor& graph : editor.graphs()) {
      for (model::Node* node : graph.nodes()) {
        const std::string described = fmt::format("the {} node \"{}\"", node->op_type, node->name);
        if (auto done = convert({graph, facts}, *node); !done) {
          return unsupported(fmt::format("{} has no form in operator set {}: {}", described, to_,
                                         done.error().message()));
        }
      }
    }
    return editor.finish();
  }

 private:
  Result<void> convert(const AdapterContext& context, model::Node& node) const {
    if (!node.is_standard()) return {};
    if (raises_) return adapt(context, node, raising_adapters(), changed_by_);
    WATTWISE_TRY(undo_additions(context, node, changed_by_));
    return adapt(context, node, lowering_adapters(), changed_by_);
  }

  int64_t to_;
  int64_t changed_by_;
  bool raises_;
};

/// The IR version that was current with each operator set from 7 on, as the standard's table of
/// releases says (github.com/onnx/onnx, docs/Versioning.md).
int64_t ir_version_of(int64_t opset) {
  constexpr std::array<int64_t, 18> kVersions = {3, 3, 4, 5, 6, 7,  7,  7,  8,
                                                 8, 8, 8, 9, 9, 10, 10, 11, 12};
  const auto at = static_cast<size_t>(opset - kOldestOpset);
  return kVersions[std::min(at, kVersions.size() - 1)];
}

void set_opset(model::Model& model, int64_t version) {
  for (model::OpsetImport& import : model.opset_imports) {
    if (import.domain.empty() || import.domain == "ai.onnx") import.version = version;
  }
}

}  // namespace

Result<void> convert_opset(model::Model& model, int64_t version, const model::ShapeTable& shapes) {
  const int64_t before = model.opset("");
  if (before == version) return {};
  WATTWISE_TRY(check_range(model, version));
  model::Model converted = model::clone(model);
  const ShapeFacts facts(shapes);
  const int64_t direction = version > before ? 1 : -1;
  for (int64_t from = before; from != version; from += direction) {
    WATTWISE_TRY(Step(from, from + direction).run(converted, facts));
    // The next step's editor adds what belongs to the set that has been reached.
    set_opset(converted, from + direction);
  }
  if (direction < 0) lower_ir_version(converted);
  model = std::move(converted);
  return {};
}

void lower_ir_version(model::Model& model) {
  const int64_t enough = std::max(ir_version_of(model.opset("")), model::kFirstIrWithConstants);
  model.ir_version = std::min(model.ir_version, enough);
}

}  // namespace wattwise::optimize
