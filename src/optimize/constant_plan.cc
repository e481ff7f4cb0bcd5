// SPDX-License-Identifier: Apache-2.0
#include "optimize/constant_plan.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "model/walk.h"

namespace wattwise::optimize {
namespace {

/// A result of unknown size is only computed from less than this.
constexpr uint64_t kBlindLimit = 65536;
/// From this size on constants count as stored compactly.
constexpr uint64_t kCompactConstant = 128;
/// About what a node with its names takes in a file.
constexpr uint64_t kNodeBytes = 96;
/// Results of one plan, which lie in memory together; what is beyond waits for the next.
constexpr uint64_t kMostAtOnce = uint64_t{128} << 20;

/// DequantizeLinear keeps weights small and tells the runtime what is quantized.
constexpr std::array<std::string_view, 9> kNever = {
    "Bernoulli",    "Constant",         "DequantizeLinear", "Dropout",          "Multinomial",
    "RandomNormal", "RandomNormalLike", "RandomUniform",    "RandomUniformLike"};

/// Types that results are read back in.
bool is_plain(DataType type) { return data_type_bits(type).value_or(0) >= 8; }

bool may_fold(const model::Node& node) {
  const std::string_view op = node.op_type;
  const bool never = std::find(kNever.begin(), kNever.end(), op) != kNever.end();
  const bool no_tensor = op.find("Sequence") != op.npos || op.find("Optional") != op.npos;
  const auto to = static_cast<DataType>(node.int_or("to", static_cast<int64_t>(DataType::kFloat)));
  return node.is_standard() && !never && !no_tensor && !node.holds_graphs() && is_plain(to) &&
         !node.inputs.empty();
}

/// Walks all graphs and notes what is constant.
class Planner {
 public:
  using Refused = std::unordered_set<const model::Node*>;

  Planner(const model::ShapeTable& shapes, const KnownSizes& sizes, const Refused& refused)
      : shapes_(shapes), sizes_(sizes), refused_(refused) {}

  ConstantPlan run(model::Graph& graph) {
    walk(graph, nullptr);
    return std::move(plan_);
  }

 private:
  struct Scope {
    const Scope* around;
    const model::Graph* graph;
    std::unordered_map<std::string, std::optional<size_t>> names;  ///< absent: not constant

    std::optional<size_t> find(const std::string& name) const {
      for (const Scope* scope = this; scope; scope = scope->around) {
        if (const auto it = scope->names.find(name); it != scope->names.end()) return it->second;
      }
      return std::nullopt;
    }
  };

  void walk(model::Graph& graph, const Scope* around) {
    Scope scope{around, &graph, {}};
    for (const model::Value& input : graph.inputs) scope.names[input.name];
    for (const model::Constant& constant : graph.initializers) {
      if (!scope.names.contains(constant.name)) add_constant(scope, constant.name, constant);
    }
    for (model::Node& node : graph.nodes) {
      for_each_inner(node, [&](model::Graph& inner) { walk(inner, &scope); });
      walk_node(scope, node);
    }
    for (const model::Value& output : graph.outputs) keep(scope.find(output.name));
  }

  template <typename Visit>
  void for_each_inner(model::Node& node, const Visit& visit) {
    for (model::Attribute& attribute : node.attributes) {
      if (auto* one = std::get_if<std::shared_ptr<model::Graph>>(&attribute.value)) visit(**one);
      auto* many = std::get_if<std::vector<std::shared_ptr<model::Graph>>>(&attribute.value);
      if (!many) continue;
      for (const auto& inner : *many) visit(*inner);
    }
  }

  void walk_node(Scope& scope, model::Node& node) {
    for (const std::string& name : node.outputs) scope.names[name];
    if (node.is("Constant")) {
      const model::Attribute* attribute = node.attribute("value");
      const auto* held =
          attribute ? std::get_if<std::shared_ptr<model::Constant>>(&attribute->value) : nullptr;
      if (held) add_constant(scope, node.outputs[0], **held);
      return;
    }
    ConstantNode entry{&node, {}, {}};
    bool constant = may_fold(node) && !refused_.contains(&node);
    for (const std::string& name : node.inputs) {
      entry.inputs.push_back(name.empty() ? std::nullopt : scope.find(name));
      constant &= name.empty() || entry.inputs.back().has_value();
    }
    if (constant && fits(scope, entry)) {
      add_node(scope, std::move(entry));
    } else {
      for (const auto& input : entry.inputs) keep(input);
    }
  }

  void add_constant(Scope& scope, const std::string& name, const model::Constant& constant) {
    if (!is_plain(constant.type)) return;
    scope.names[name] = plan_.values.size();
    plan_.values.push_back({{scope.graph, name}, &constant, constant.data.size()});
  }

  void add_node(Scope& scope, ConstantNode entry) {
    for (const std::string& name : entry.node->outputs) {
      entry.outputs.emplace_back();
      if (name.empty()) continue;
      entry.outputs.back() = scope.names[name] = plan_.values.size();
      plan_.values.push_back({{scope.graph, name}, nullptr, result_size(scope, name)});
    }
    plan_.nodes.push_back(std::move(entry));
  }

  void keep(std::optional<size_t> value) {
    if (value) plan_.values[*value].kept = true;
  }

  /// Absent if it is not known yet.
  std::optional<uint64_t> result_size(const Scope& scope, const std::string& name) const {
    const auto known = sizes_.find({scope.graph, name});
    if (known != sizes_.end()) return known->second;
    const auto shape = shapes_.find(name);
    if (shape == shapes_.end()) return std::nullopt;
    uint64_t bytes = static_cast<uint64_t>(data_type_bits(shape->second.type).value_or(8) + 7) / 8;
    for (const int64_t dim : shape->second.shape) {
      if (dim < 0 || __builtin_mul_overflow(bytes, static_cast<uint64_t>(dim), &bytes)) {
        return std::nullopt;
      }
    }
    return bytes;
  }

  /// True if the node's results take no more room than its inputs, or little.
  bool fits(const Scope& scope, const ConstantNode& entry) {
    if (shapes_.empty()) return true;
    uint64_t given = 0;
    for (const auto& input : entry.inputs) {
      if (input) given += plan_.values[*input].bytes.value_or(0);
    }
    uint64_t made = 0;
    for (const std::string& name : entry.node->outputs) {
      if (name.empty()) continue;
      const auto shape = shapes_.find(name);
      if (shape != shapes_.end() && !is_plain(shape->second.type)) return false;
      const auto size = result_size(scope, name);
      if (!size && given > kBlindLimit) return false;
      made += size.value_or(0);
    }
    // Small results go without a limit only where hardly anything was stored for them.
    const uint64_t limit = given < kCompactConstant ? kSmallConstant : given + kNodeBytes;
    if (made <= std::max(given, limit)) {
      if (made > kSmallConstant && (planned_bytes_ += made) > kMostAtOnce) return false;
      return true;
    }
    plan_.too_large.push_back(entry.node);
    return false;
  }

  const model::ShapeTable& shapes_;
  const KnownSizes& sizes_;
  const Refused& refused_;
  ConstantPlan plan_;
  uint64_t planned_bytes_ = 0;
};

bool is_large(const ConstantValue& value) { return value.bytes.value_or(0) > kSmallConstant; }

/// Nodes of the plan that share large values stand or fall together: one may only be computed if
/// its siblings make their common constant unnecessary.
class Groups {
 public:
  explicit Groups(const ConstantPlan& plan)
      : plan_(plan), parents_(plan.values.size() + plan.nodes.size()) {
    std::iota(parents_.begin(), parents_.end(), size_t{0});
    for (size_t i = 0; i < plan.nodes.size(); ++i) {
      for (const auto* ends : {&plan.nodes[i].inputs, &plan.nodes[i].outputs}) {
        for (const auto& value : *ends) {
          // Small constants are shared by nodes that have nothing else to do with each other.
          const bool joins =
              value && (!plan.values[*value].constant || is_large(plan.values[*value]));
          if (joins) join(of_node(i), *value);
        }
      }
    }
  }

  /// Nodes of the groups that would take more room computed than as they are.
  std::vector<const model::Node*> growing() {
    std::map<size_t, int64_t> growth;
    for (size_t i = 0; i < plan_.values.size(); ++i) {
      const ConstantValue& value = plan_.values[i];
      if (!is_large(value)) continue;
      const auto bytes = static_cast<int64_t>(*value.bytes);
      if (!value.constant && value.kept) growth[root(i)] += bytes;
      if (value.constant && !value.kept) growth[root(i)] -= bytes;
    }
    std::vector<const model::Node*> nodes;
    for (size_t i = 0; i < plan_.nodes.size(); ++i) {
      const auto it = growth.find(root(of_node(i)));
      if (it != growth.end() && it->second > 0) nodes.push_back(plan_.nodes[i].node);
    }
    return nodes;
  }

 private:
  size_t of_node(size_t i) const { return plan_.values.size() + i; }
  size_t root(size_t i) const {
    while (parents_[i] != i) i = parents_[i];
    return i;
  }
  void join(size_t a, size_t b) { parents_[root(a)] = root(b); }

  const ConstantPlan& plan_;
  std::vector<size_t> parents_;
};

}  // namespace

ConstantPlan plan_constants(model::Model& model, const model::ShapeTable& shapes,
                            const KnownSizes& sizes) {
  const model::ConstantIndex index(model.graph);  // rewrites value_float and its kin as tensors
  Planner::Refused refused;
  std::vector<const model::Node*> in_order;
  while (true) {
    ConstantPlan plan = Planner(shapes, sizes, refused).run(model.graph);
    const auto growing = Groups(plan).growing();
    if (growing.empty()) {
      plan.too_large.insert(plan.too_large.end(), in_order.begin(), in_order.end());
      return plan;
    }
    refused.insert(growing.begin(), growing.end());
    in_order.insert(in_order.end(), growing.begin(), growing.end());
  }
}

}  // namespace wattwise::optimize
