// SPDX-License-Identifier: Apache-2.0
// int8 weights, float activations.
//
//   Gather(W, i)   gathers int8 rows and unpacks them;
//   MatMul(x, W)   becomes MatMulNBits(x, W8, scales), an operator of ONNX Runtime that rounds
//                  blocks of 64 activations to 8 bits and adds up in integers, unless the
//                  configuration's weight_only_arithmetic is "float";
//   any other      reads W through Cast x scale, folded when the model is loaded: float arithmetic
//                  at float speed.
#include <algorithm>

#include "optimize/graph_editor.h"
#include "quantize/fit_int8.h"
#include "quantize/float_products.h"
#include "quantize/methods/methods.h"
#include "quantize/store_half.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

/// What the operator multiplies at a time.
constexpr size_t kBytesPerBlock = 64;
/// Weights that share a scale where one for each column is not enough.
constexpr size_t kPart = 2 * kBytesPerBlock;
/// Parts for a column must halve the noise.
constexpr double kHalfPrecisionDb = 3;
/// int8 activations inside the operator.
constexpr int64_t kIntegerAccumulation = 4;
/// Operator set that has Expand.
constexpr int64_t kFirstWithExpand = 8;
/// The operator's zero point where it is given none.
constexpr uint8_t kMiddleByte = 128;
/// Fewer bytes are stored sooner than made.
constexpr int64_t kWorthFilling = 512;

/// The scales of a matrix: one for each column, or for each part of it where that pays.
FittedInt8 fit_matrix(const Weight& weight) {
  const size_t rows = weight.dim(0);
  const size_t columns = weight.dim(1);
  const ScaleChoice choice = weight.scale_choice();
  FittedInt8 whole = fit_int8(weight.values(), {1, {rows, columns, 1}, choice});
  if (rows % kPart != 0 || rows == kPart) return whole;
  FittedInt8 parts = fit_int8(weight.values(), {rows / kPart, {kPart, columns, 1}, choice});
  return parts.sqnr_db() >= whole.sqnr_db() + kHalfPrecisionDb ? parts : whole;
}

/// The integers in the operator's order, unsigned: [columns, length], of which the rows are the
/// first.
std::vector<uint8_t> packed_values(const Weight& weight, const Int8Weights& quantized,
                                   size_t length) {
  const size_t rows = weight.dim(0);
  const size_t columns = weight.dim(1);
  std::vector<uint8_t> packed(columns * length, kMiddleByte);
  for (size_t row = 0; row < rows; ++row) {
    for (size_t column = 0; column < columns; ++column) {
      packed[column * length + row] =
          static_cast<uint8_t>(quantized.values[row * columns + column] + kMiddleByte);
    }
  }
  return packed;
}

/// A node that gives a value this shape, before all others; returns the name of what it makes.
struct Shaping {
  std::string op;
  std::vector<int64_t> shape;
};

std::string spread_to(const Weight& weight, const std::string& value, const Shaping& shaping,
                      ModelEdits& edits) {
  const auto rank = static_cast<int64_t>(shaping.shape.size());
  const std::string shape =
      edits.add_constant(weight, "_blocks", make_int64_tensor({rank}, shaping.shape));
  std::string made = edits.unique(weight.name + "_scales");
  edits.add_first(weight, optimize::make_node(shaping.op, {value, shape}, made));
  return made;
}

/// The name of the integers, [columns, blocks, kBytesPerBlock]. What fills up the last blocks is
/// not stored where it is worth the nodes that make it when the model is loaded.
std::string add_values(const Weight& weight, const Int8Weights& quantized, ModelEdits& edits) {
  const int64_t rows = weight.constant.shape[0];
  const int64_t columns = weight.constant.shape[1];
  const int64_t block = kBytesPerBlock;
  const int64_t blocks = (rows + block - 1) / block;
  const int64_t missing = blocks * block - rows;
  const std::vector<int64_t> shape = {columns, blocks, block};
  const auto tensor = [](std::vector<int64_t> sizes, std::vector<uint8_t> bytes) {
    return Tensor{DataType::kUint8, std::move(sizes), Bytes::own(std::move(bytes)), {}};
  };
  if (missing * columns < kWorthFilling) {
    auto all = packed_values(weight, quantized, static_cast<size_t>(blocks * block));
    return edits.add_constant(weight, "_int8", tensor(shape, std::move(all)));
  }
  auto stored = packed_values(weight, quantized, weight.dim(0));
  const std::string values =
      edits.add_constant(weight, "_int8", tensor({columns, rows}, std::move(stored)));
  const std::string middle = edits.shared_constant(weight, "_middle", tensor({1}, {kMiddleByte}));
  const std::string filler = spread_to(weight, middle, {"Expand", {columns, missing}}, edits);
  model::Node concat =
      optimize::make_node("Concat", {values, filler}, edits.unique(weight.name + "_filled"));
  concat.set_attribute("axis", int64_t{1});
  const std::string filled = concat.outputs[0];
  edits.add_first(weight, std::move(concat));
  return spread_to(weight, filled, {"Reshape", shape}, edits);
}

/// One scale for each block of each column, spread by nodes that a runtime folds when it loads the
/// model; the file keeps one for each part. Returns the name to read them by.
std::string add_scales(const Weight& weight, const Int8Weights& quantized, ModelEdits& edits) {
  const auto columns = weight.constant.shape[1];
  const int64_t parts = static_cast<int64_t>(quantized.scales.size()) / columns;
  const auto blocks = static_cast<int64_t>((weight.dim(0) + kBytesPerBlock - 1) / kBytesPerBlock);
  std::vector<float> by_column(quantized.scales.size());
  for (int64_t part = 0; part < parts; ++part) {
    for (int64_t column = 0; column < columns; ++column) {
      by_column[column * parts + part] = quantized.scales[part * columns + column];
    }
  }
  const std::vector<int64_t> stored =
      parts == 1 ? std::vector{columns, int64_t{1}} : std::vector{columns, parts, int64_t{1}};
  std::string scales = add_floats(weight, {"_scale", stored, by_column}, edits);
  if (blocks == 1) return scales;
  std::vector<int64_t> target = stored;
  target.back() = blocks / parts;
  const std::string spread = spread_to(weight, scales, {"Expand", target}, edits);
  return parts == 1 ? spread : spread_to(weight, spread, {"Reshape", {columns, blocks}}, edits);
}

LayerQuantization multiply_nbits(const Weight& weight, ModelEdits& edits) {
  const FittedInt8 fitted = fit_matrix(weight);
  const std::string values = add_values(weight, fitted.quantized, edits);
  const std::string scales = add_scales(weight, fitted.quantized, edits);
  for (const WeightReader& reader : weight.readers) {
    model::Node node = *reader.node;
    node.op_type = "MatMulNBits";
    node.domain = "com.microsoft";
    node.inputs = {reader.node->inputs[0], values, scales};
    node.set_attribute("K", weight.constant.shape[0]);
    node.set_attribute("N", weight.constant.shape[1]);
    node.set_attribute("bits", int64_t{8});
    node.set_attribute("block_size", static_cast<int64_t>(kBytesPerBlock));
    node.set_attribute("accuracy_level", kIntegerAccumulation);
    edits.replace(reader, {std::move(node)});
  }
  edits.remove_constant(weight);
  const bool is_parted = fitted.quantized.scales.size() > weight.dim(1);
  return {layer_name(weight), weight.name, is_parted ? "int8 in blocks of 128" : "int8 per column",
          static_cast<int64_t>(weight.values().size()), fitted.sqnr_db()};
}

template <bool kIntegers>
LayerQuantization quantize_to_bytes(const Weight& weight, ModelEdits& edits,
                                    MethodOutcome& outcome) {
  if (is_embedding(weight)) return store_table(weight, edits, outcome);
  if (kIntegers && is_matrix(weight)) {
    count_applied(outcome, "int8_matmul_weights", weight.readers.size());
    return multiply_nbits(weight, edits);
  }
  return store_weight(weight, edits, outcome);
}

Result<void> leave_slow_products(const model::Model& /*model*/, std::vector<Weight>& weights,
                                 const MethodContext& context, MethodOutcome& outcome) {
  const IntegerProducts products{"weight_only", Format::kInt8};
  keep_float_where_faster(context, products, weights, outcome.decisions);
  tell_slow_products(context, products, weights, outcome.decisions);
  return {};
}

constexpr WeightMethod kInIntegers = {"weight_only", quantize_to_bytes<true>, nullptr,
                                      leave_slow_products};
constexpr WeightMethod kInFloat = {"weight_only", quantize_to_bytes<false>};

}  // namespace

bool multiplies_bytes(const model::Model& model, const QuantizationConfig& config) {
  return config.weight_only_arithmetic == "integer" && model.opset("") >= kFirstWithExpand;
}

const WeightMethod& weight_only_weights(const model::Model& model,
                                        const QuantizationConfig& config) {
  return multiplies_bytes(model, config) ? kInIntegers : kInFloat;
}

Result<MethodOutcome> run_weight_only(model::Model& model, const MethodContext& context) {
  const bool in_integers = multiplies_bytes(model, context.config);
  MethodOutcome outcome =
      WATTWISE_TRY(quantize_weights(model, context, weight_only_weights(model, context.config)));
  outcome.decisions.push_back(
      {"compute", "weight_only",
       in_integers ? "matrices multiply in integers, the rest in float"
                   : "all arithmetic is in float; int8 is only how weights are stored"});
  const auto multiplies = [](const AppliedOptimization& item) {
    return item.name == "int8_matmul_weights";
  };
  if (std::any_of(outcome.applied.begin(), outcome.applied.end(), multiplies)) {
    model.require_opset("com.microsoft", 1);
  }
  return outcome;
}

}  // namespace wattwise::quantize
