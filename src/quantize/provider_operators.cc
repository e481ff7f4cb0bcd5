// SPDX-License-Identifier: Apache-2.0
#include "quantize/provider_operators.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <span>

namespace wattwise::quantize {
namespace {

constexpr std::array kActivationTypes = {
    ActivationType{"uint8", DataType::kUint8, 0, 255, 13},
    ActivationType{"int8", DataType::kInt8, -128, 127, 13},
    ActivationType{"uint16", DataType::kUint16, 0, 65535, 21},
};

constexpr std::array<std::string_view, 4> kWeightsOperators = {"Conv", "ConvTranspose", "Gemm",
                                                               "MatMul"};
constexpr std::array<std::string_view, 11> kOperandsOperators = {
    "Add", "Concat", "Div", "Max", "Mean", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum"};
constexpr std::array<std::string_view, 35> kValueOperators = {"Abs",
                                                              "AveragePool",
                                                              "Ceil",
                                                              "Clip",
                                                              "Cos",
                                                              "Elu",
                                                              "Erf",
                                                              "Exp",
                                                              "Floor",
                                                              "Gelu",
                                                              "GlobalAveragePool",
                                                              "HardSigmoid",
                                                              "HardSwish",
                                                              "LeakyRelu",
                                                              "Log",
                                                              "LogSoftmax",
                                                              "LpNormalization",
                                                              "Mish",
                                                              "Neg",
                                                              "ReduceMax",
                                                              "ReduceMean",
                                                              "ReduceMin",
                                                              "ReduceSum",
                                                              "Relu",
                                                              "Round",
                                                              "Selu",
                                                              "Sigmoid",
                                                              "Sign",
                                                              "Sin",
                                                              "Softmax",
                                                              "Softplus",
                                                              "Softsign",
                                                              "Sqrt",
                                                              "Tanh",
                                                              "ThresholdedRelu"};
constexpr std::array<std::string_view, 19> kMoveOperators = {
    "DepthToSpace", "Expand",        "Flatten",   "Gather",       "GatherElements",
    "GatherND",     "GlobalMaxPool", "Identity",  "MaxPool",      "Pad",
    "Reshape",      "Resize",        "Slice",     "SpaceToDepth", "Split",
    "Squeeze",      "Tile",          "Transpose", "Unsqueeze"};
constexpr std::array<std::string_view, 1> kNormalizationOperators = {"LayerNormalization"};

/// A role as tables name it, and the operators that it spells right.
struct RoleRow {
  std::string_view name;
  QdqRole role;
  std::span<const std::string_view> operators;
};
constexpr std::array kRoles = {
    RoleRow{"weights", QdqRole::kWeights, kWeightsOperators},
    RoleRow{"operands", QdqRole::kOperands, kOperandsOperators},
    RoleRow{"value", QdqRole::kValue, kValueOperators},
    RoleRow{"move", QdqRole::kMove, kMoveOperators},
    RoleRow{"normalization", QdqRole::kNormalization, kNormalizationOperators},
};

/// The string of a key; "" where there is none.
std::string text_of(const Json& row, const char* key) {
  const auto it = row.find(key);
  return it != row.end() && it->is_string() ? it->get<std::string>() : "";
}

Error damaged(const ProviderOperators& provider, const std::string& what) {
  return {ErrorCode::kCorrupt, fmt::format("the data file providers/{}.json {}; compare it with "
                                           "those of the program's data folder",
                                           provider.id, what)};
}

Result<void> add_activations(const Json& row, ProviderOperators& provider) {
  const std::string name = text_of(row, "type");
  const auto* const type =
      std::find_if(kActivationTypes.begin(), kActivationTypes.end(),
                   [&](const ActivationType& known) { return known.name == name; });
  if (type == kActivationTypes.end()) {
    return damaged(provider, fmt::format("has activations of the unknown type \"{}\"", name));
  }
  const std::string form = text_of(row, "form");
  if (form != "bytes" && form != "qdq") {
    return damaged(provider, fmt::format("has {} activations of the unknown form \"{}\", which "
                                         "must be \"bytes\" or \"qdq\"",
                                         name, form));
  }
  if (form == "bytes" && type->type != DataType::kUint8) {
    return damaged(provider, "has bytes of another type than uint8");
  }
  provider.activations.push_back({type, form == "bytes", text_of(row, "warning")});
  if (const auto lacks = row.find("lacks"); lacks != row.end()) {
    for (const Json& op : *lacks) {
      if (op.is_string()) provider.activations.back().lacks.insert(op.get<std::string>());
    }
  }
  return {};
}

Result<void> add_operator(const std::string& op, const Json& role, ProviderOperators& provider) {
  const std::string name = role.is_string() ? role.get<std::string>() : "";
  const auto* const row =
      std::find_if(kRoles.begin(), kRoles.end(), [&](const RoleRow& r) { return r.name == name; });
  if (row == kRoles.end()) {
    return damaged(provider, fmt::format("gives {} a role that there is not: {}", op, role.dump()));
  }
  if (std::find(row->operators.begin(), row->operators.end(), op) == row->operators.end()) {
    return damaged(provider, fmt::format("gives {} the role {}, which is none of its", op, name));
  }
  provider.operators[op] = row->role;
  return {};
}

/// A type can only lack what the table has.
Result<void> check_lacks(const ProviderOperators& provider) {
  for (const auto& activations : provider.activations) {
    for (const std::string& op : activations.lacks) {
      if (provider.operators.contains(op)) continue;
      return damaged(provider, fmt::format("says that {} activations lack {}, which it has not",
                                           activations.type->name, op));
    }
  }
  return {};
}

}  // namespace

Result<ProviderOperators> read_provider_operators(const Json& row) {
  ProviderOperators provider{text_of(row, "id"), {}, {}};
  const auto types = row.find("activations");
  const auto operators = row.find("operators");
  if (types == row.end() || !types->is_array() || types->empty()) {
    return damaged(provider, "has no list of \"activations\"");
  }
  if (operators == row.end() || !operators->is_object()) {
    return damaged(provider, "has no map of \"operators\"");
  }
  for (const Json& type : *types) WATTWISE_TRY(add_activations(type, provider));
  for (const auto& [op, role] : operators->items()) {
    WATTWISE_TRY(add_operator(op, role, provider));
  }
  WATTWISE_TRY(check_lacks(provider));
  return provider;
}

std::optional<ActivationForm> ActivationForm::next() const {
  if (is_fixed || !is_qdq()) return std::nullopt;
  const auto& all = provider->activations;
  const auto* const end = all.data() + all.size();
  const auto* const found =
      std::find_if(activations + 1, end, [](const auto& other) { return !other.in_bytes; });
  return found == end ? std::nullopt : std::optional(ActivationForm{provider, found});
}

Result<ActivationForm> choose_activations(ProviderOperators provider, std::string_view wanted) {
  auto shared = std::make_shared<const ProviderOperators>(std::move(provider));
  std::vector<std::string_view> names;
  for (const auto& activations : shared->activations) {
    if (wanted == "auto" || activations.type->name == wanted) {
      return ActivationForm{shared, &activations, wanted != "auto"};
    }
    names.push_back(activations.type->name);
  }
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("quantization.activation_type is {}, but the target's execution "
                           "provider {} computes in {} only; choose that, or another target",
                           wanted, shared->id, fmt::join(names, " or ")));
}

}  // namespace wattwise::quantize
