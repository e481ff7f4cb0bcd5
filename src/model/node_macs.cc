// SPDX-License-Identifier: Apache-2.0
#include "model/node_macs.h"

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>

namespace wattwise::model {
namespace {

using Shape = std::vector<int64_t>;

std::optional<Shape> known_shape(const ShapeTable& shapes, const std::vector<std::string>& names,
                                 size_t index) {
  if (index >= names.size()) return std::nullopt;
  const auto it = shapes.find(names[index]);
  if (it == shapes.end()) return std::nullopt;
  const Shape& shape = it->second.shape;
  const bool known = std::all_of(shape.begin(), shape.end(), [](int64_t dim) { return dim >= 0; });
  return known ? std::optional(shape) : std::nullopt;
}

int64_t product(const Shape& shape, size_t from = 0) {
  return std::accumulate(shape.begin() + static_cast<ptrdiff_t>(std::min(from, shape.size())),
                         shape.end(), int64_t{1}, std::multiplies<>());
}

/// Output elements x kernel volume x input channels of a group.
std::optional<int64_t> conv_macs(const Node& node, const ShapeTable& shapes, size_t weight_slot) {
  const auto output = known_shape(shapes, node.outputs, 0);
  const auto weight = known_shape(shapes, node.inputs, weight_slot);
  if (!output || !weight || weight->size() < 2) return std::nullopt;
  return product(*output) * product(*weight, 1);
}

/// Each input element meets every kernel element of every output channel of its group.
std::optional<int64_t> transposed_conv_macs(const Node& node, const ShapeTable& shapes) {
  const auto input = known_shape(shapes, node.inputs, 0);
  const auto weight = known_shape(shapes, node.inputs, 1);
  if (!input || !weight) return std::nullopt;
  return product(*input) * product(*weight, 1);
}

/// Output elements x the inner dimension, the last of the left side.
std::optional<int64_t> matmul_macs(const Node& node, const ShapeTable& shapes) {
  const auto output = known_shape(shapes, node.outputs, 0);
  const auto left = known_shape(shapes, node.inputs, 0);
  if (!output || !left || left->empty()) return std::nullopt;
  const bool transposed = node.int_or("transA", 0) != 0;
  return product(*output) * (transposed ? left->front() : left->back());
}

/// Steps x batch x (input weights + recurrent weights).
std::optional<int64_t> recurrent_macs(const Node& node, const ShapeTable& shapes) {
  const auto input = known_shape(shapes, node.inputs, 0);
  const auto weight = known_shape(shapes, node.inputs, 1);
  const auto recurrent = known_shape(shapes, node.inputs, 2);
  if (!input || !weight || !recurrent || input->size() != 3) return std::nullopt;
  return (*input)[0] * (*input)[1] * (product(*weight) + product(*recurrent));
}

using MacsOf = std::optional<int64_t> (*)(const Node&, const ShapeTable&);

struct MacsRow {
  std::string_view op_type;
  bool integer;
  MacsOf macs;
};

std::optional<int64_t> unknown_macs(const Node&, const ShapeTable&) { return std::nullopt; }

constexpr std::array kRows = {
    MacsRow{"Conv", false, [](const Node& n, const ShapeTable& s) { return conv_macs(n, s, 1); }},
    MacsRow{"FusedConv", false,
            [](const Node& n, const ShapeTable& s) { return conv_macs(n, s, 1); }},
    MacsRow{"ConvInteger", true,
            [](const Node& n, const ShapeTable& s) { return conv_macs(n, s, 1); }},
    MacsRow{"QLinearConv", true,
            [](const Node& n, const ShapeTable& s) { return conv_macs(n, s, 3); }},
    MacsRow{"ConvTranspose", false, transposed_conv_macs},
    MacsRow{"MatMul", false, matmul_macs},
    MacsRow{"FusedMatMul", false, matmul_macs},
    MacsRow{"Gemm", false, matmul_macs},
    MacsRow{"MatMulInteger", true, matmul_macs},
    MacsRow{"QLinearMatMul", true, matmul_macs},
    MacsRow{"DynamicQuantizeMatMul", true, matmul_macs},
    MacsRow{"MatMulIntegerToFloat", true, matmul_macs},
    MacsRow{"MatMulNBits", true, matmul_macs},
    MacsRow{"LSTM", false, recurrent_macs},
    MacsRow{"GRU", false, recurrent_macs},
    MacsRow{"RNN", false, recurrent_macs},
    MacsRow{"DynamicQuantizeLSTM", true, recurrent_macs},
    MacsRow{"Einsum", false, unknown_macs},
};

const MacsRow* find_row(const Node& node) {
  const auto it = std::find_if(kRows.begin(), kRows.end(),
                               [&](const MacsRow& row) { return row.op_type == node.op_type; });
  return it == kRows.end() ? nullptr : &*it;
}

}  // namespace

bool multiplies(const Node& node) { return find_row(node) != nullptr; }

bool computes_in_integers(const Node& node) {
  const MacsRow* row = find_row(node);
  return row && row->integer;
}

std::optional<int64_t> node_macs(const Node& node, const ShapeTable& shapes) {
  const MacsRow* row = find_row(node);
  return row ? row->macs(node, shapes) : 0;
}

}  // namespace wattwise::model
