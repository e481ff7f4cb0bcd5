// SPDX-License-Identifier: Apache-2.0
#include "quantize/saturation.h"

#include <array>
#include <map>
#include <optional>

#include "model/constant_store.h"
#include "model/graph_edit.h"
#include "model/walk.h"
#include "quantize/convolution_weights.h"
#include "quantize/kernels.h"
#include "quantize/unpacked_integers.h"

namespace wattwise::quantize {
namespace {

using Producers = std::map<std::string, const model::Node*>;

/// Where an operator reads int8 weights.
struct WeightRow {
  std::string_view domain;
  std::string_view op;
  size_t slot;
  bool convolution;
  bool dequantized;  ///< reads them, and its activations, through DequantizeLinear
};

constexpr std::array kWeightRows = {
    WeightRow{"", "Conv", 1, true, true},
    WeightRow{"", "MatMul", 1, false, true},
    WeightRow{"", "Gemm", 1, false, true},
    WeightRow{"", "QLinearConv", 3, true, false},
    WeightRow{"", "QLinearMatMul", 3, false, false},
    WeightRow{"", "MatMulInteger", 1, false, false},
    WeightRow{"com.microsoft", "DynamicQuantizeMatMul", 1, false, false},
    WeightRow{"com.microsoft", "MatMulIntegerToFloat", 1, false, false},
    WeightRow{"com.microsoft", "DynamicQuantizeLSTM", 1, false, false},
    WeightRow{"com.microsoft", "DynamicQuantizeLSTM", 2, false, false},
};

bool matches(const WeightRow& row, const model::Node& node) {
  const bool same_domain = row.domain.empty() ? node.is_standard() : node.domain == row.domain;
  return same_domain && node.op_type == row.op && node.inputs.size() > row.slot;
}

/// The DequantizeLinear that makes the value; null if there is none.
const model::Node* dequantizer(const Producers& producers, const std::string& value) {
  const auto it = producers.find(value);
  return it == producers.end() || !it->second->is("DequantizeLinear") ? nullptr : it->second;
}

int64_t unsafe_pairs(const model::Constant& weights, const WeightRow& row,
                     const model::Node& node) {
  const std::span<const int8_t> values(reinterpret_cast<const int8_t*>(weights.data.data()),
                                       weights.data.size());
  if (row.convolution) {
    if (weights.shape.size() < 3) return 0;
    return count_unsafe_pairs(values, convolution_shape(weights, node.int_or("group", 1)));
  }
  if (weights.shape.size() < 2) return 0;
  if (node.op_type == "Gemm" && node.int_or("transB", 0) != 0) {
    return count_unsafe_pairs(
        values, {static_cast<size_t>(weights.shape[0]), static_cast<size_t>(weights.shape[1])});
  }
  const auto rows = static_cast<size_t>(weights.shape[weights.shape.size() - 2]);
  const auto columns = static_cast<size_t>(weights.shape.back());
  int64_t count = 0;
  for (size_t at = 0; rows * columns > 0 && at < values.size(); at += rows * columns) {
    count += count_unsafe_pairs(values.subspan(at, rows * columns), rows, columns);
  }
  return count;
}

/// Where the values of a graph come from, those of the graphs around it included.
struct Origins {
  const model::ConstantIndex& constants;
  const model::Graph& graph;
  Producers producers;
};

/// Whether the value was made of uint8: other types meet no kernel that saturates.
bool comes_of_bytes(const Origins& origins, const std::string& value) {
  const model::Node* node = dequantizer(origins.producers, value);
  if (!node) return false;
  if (node->inputs.size() < 3 || node->inputs[2].empty()) return true;
  const model::Constant* zero = origins.constants.find(origins.graph, node->inputs[2]);
  return !zero || zero->type == DataType::kUint8;
}

/// The int8 constant that the row's operator multiplies; null if it has none.
const model::Constant* integer_weights(const Origins& origins, const WeightRow& row,
                                       const model::Node& node) {
  std::string value = node.inputs[row.slot];
  if (row.dequantized) {
    const model::Node* weights = dequantizer(origins.producers, value);
    if (!weights || !comes_of_bytes(origins, node.inputs[0])) return nullptr;
    value = weights->inputs[0];
  }
  const model::Constant* constant = origins.constants.find(origins.graph, value);
  return constant && constant->type == DataType::kInt8 ? constant : nullptr;
}

/// The same where the integers are made when the model is loaded.
std::optional<model::Constant> unpacked_weights(const Origins& origins, const WeightRow& row,
                                                const model::Node& node) {
  const ValueOrigins values{
      [&](const std::string& name) { return origins.constants.find(origins.graph, name); },
      [&](const std::string& name) {
        const auto it = origins.producers.find(name);
        return it == origins.producers.end() ? nullptr : it->second;
      }};
  if (row.dequantized || !values.producer(node.inputs[row.slot])) return std::nullopt;
  const auto unpacked = unpack_integers(values, node.inputs[row.slot]);
  if (!unpacked) return std::nullopt;
  return model::make_constant(node.inputs[row.slot],
                              {DataType::kInt8,
                               unpacked->shape,
                               Bytes::copy_of(std::span<const int8_t>(unpacked->values)),
                               {}});
}

/// Looks at the graph and at the graphs inside it.
void search(Origins origins, const model::ConstantStore* store,
            std::vector<SaturatingWeight>& found) {
  for (const model::Node& node : origins.graph.nodes) {
    for (const std::string& output : node.outputs) origins.producers[output] = &node;
  }
  for (const model::Node& node : origins.graph.nodes) {
    for (const WeightRow& row : kWeightRows) {
      if (!matches(row, node)) continue;
      const auto unpacked = unpacked_weights(origins, row, node);
      const auto* weights = unpacked ? &*unpacked : integer_weights(origins, row, node);
      const int64_t pairs = weights ? unsafe_pairs(*weights, row, node) : 0;
      if (weights && !unpacked && store) store->release(weights->data.view());
      if (pairs > 0) found.push_back({node.inputs[row.slot], pairs});
    }
    model::for_each_inner_graph(node, [&](const model::Graph& inner) {
      search({origins.constants, inner, origins.producers}, store, found);
    });
  }
}

}  // namespace

std::vector<SaturatingWeight> find_saturating_weights(model::Model& model) {
  const model::ConstantIndex constants(model.graph);
  std::vector<SaturatingWeight> found;
  search({constants, model.graph, {}}, model.store.get(), found);
  return found;
}

}  // namespace wattwise::quantize
