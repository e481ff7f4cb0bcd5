// SPDX-License-Identifier: Apache-2.0
// 4-bit weights in blocks, rounded to nearest; with calibration data by GPTQ.
//
//   MatMul(x, W)   becomes, by the configuration's int4_arithmetic,
//                  "integer": DynamicQuantizeMatMul(x, W8, scale per column), as `dynamic` writes
//                    it, with W8 = factor of the block x W4, made by nodes that a runtime folds
//                    when it loads the model: blocks of 16, int8 speed. x is smoothed first where
//                    that pays.
//                  "float": MatMulNBits(x, W4, scales, zeros): blocks of 32, packed in memory too;
//                    x may be scaled by what it makes of rounding errors;
//                  "dequantize": MatMul(x, DequantizeLinear(W4, scales, zeros)): the same blocks in
//                    operators that every runtime of ONNX 21 has; tables are stored as int8 then;
//   Gather(W, i)   becomes GatherBlockQuantized(W4, i, scales, zeros): blocks of 32;
//   any other      is stored in blocks of 16 where choose_int4.h lets it, else as int8, and
//                  unpacked at load.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "quantize/awq.h"
#include "quantize/choose_int4.h"
#include "quantize/cut_zeros.h"
#include "quantize/float_products.h"
#include "quantize/int4_matrices.h"
#include "quantize/methods/methods.h"
#include "quantize/raise_opset.h"
#include "quantize/smooth_inputs.h"
#include "quantize/store_int4.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

/// The first operator set whose DequantizeLinear knows 4 bits and blocks.
constexpr int64_t kBlockedOpset = 21;
/// Weights whose unpacking, which takes about 8 bytes each for a moment, is a small thing.
constexpr int64_t kMostUnpacked = int64_t{64} << 20;
constexpr int64_t kBytesWhileUnpacked = 8;
constexpr std::string_view kInt4MatMul = "int4_matmul";

int64_t count_of(const Weight& weight) { return static_cast<int64_t>(weight.values().size()); }

LayerQuantization quantize_embedding(const Weight& weight, ModelEdits& edits,
                                     MethodOutcome& outcome) {
  if (weight.share >= kWorthwhileShare && has_int4_rows(weight)) {
    count_applied(outcome, "int4_embedding", weight.readers.size());
    return store_int4_rows(weight, edits);
  }
  outcome.decisions.push_back(
      {"quantize_int8", weight.name,
       has_int4_rows(weight) ? fmt::format("a table with {:.1f} % of the weights loses more by 4 "
                                           "bits than it saves",
                                           weight.share * 100)
                             : "its rows cannot be cut in blocks of 32"});
  return store_table(weight, edits, outcome);
}

/// Weights of operators without integer arithmetic of their own.
LayerQuantization store_other(const Weight& weight, ModelEdits& edits, MethodOutcome& outcome) {
  if (!weight.may_take_4_bits) return store_weight(weight, edits, outcome);
  return store_without_zeros(weight, edits, [&](const Weight& cut, ModelEdits& to) {
    const bool in_4_bits = has_int4_blocks(cut);  // what is cut off may be half a block
    count_applied(outcome, in_4_bits ? "int4_stored_weights" : "int8_stored_weights",
                  weight.readers.size());
    return in_4_bits ? store_int4(cut, to) : store_int8(cut, to);
  });
}

template <Int4Form kForm>
LayerQuantization quantize_to_int4(const Weight& weight, ModelEdits& edits,
                                   MethodOutcome& outcome) {
  if (is_embedding(weight)) {
    return kForm == Int4Form::kDequantized ? store_table(weight, edits, outcome)
                                           : quantize_embedding(weight, edits, outcome);
  }
  if (is_matrix(weight)) {
    count_applied(outcome, kInt4MatMul, weight.readers.size());
    return quantize_int4_matrix({weight, kForm}, edits);
  }
  return store_other(weight, edits, outcome);
}

/// Rounds the matrices of a group by what multiplies them.
template <Int4Form kForm>
void round_int4_group(const MatrixGroup& group, const InputStatistics& statistics,
                      ModelEdits& edits, MethodOutcome& outcome) {
  for (const Weight* weight : group.weights) {
    outcome.layers.push_back(round_int4_matrix({*weight, kForm}, statistics, edits, outcome));
    count_applied(outcome, kInt4MatMul, weight->readers.size());
  }
}

/// How runtimes multiply what DequantizeLinear unpacks is not estimated.
template <Int4Form kForm>
Result<void> choose_weights(const model::Model& model, std::vector<Weight>& weights,
                            const MethodContext& context, MethodOutcome& outcome) {
  constexpr Format kSpeed = kForm == Int4Form::kUnpacked ? Format::kDynamic : Format::kInt4;
  if (kForm != Int4Form::kDequantized) {
    tell_slow_products(context, {"int4", kSpeed}, weights, outcome.decisions);
  }
  return choose_int4(model, weights, context, outcome);
}

template <Int4Form kForm>
constexpr WeightMethod kWeightsOf = {"int4", quantize_to_int4<kForm>, nullptr,
                                     choose_weights<kForm>, round_int4_group<kForm>};

/// How a form is told, and the operator set that it needs.
struct FormRow {
  std::string_view setting;  ///< of int4_arithmetic
  Int4Form form;
  const WeightMethod* weights;
  OpsetGoal goal;
  std::string_view description;
};

constexpr std::array kForms = {
    FormRow{"integer",
            Int4Form::kUnpacked,
            &kWeightsOf<Int4Form::kUnpacked>,
            {kInt4Opset, "arithmetic of 8-bit integers"},
            "matrices are unpacked to int8 at load and multiply in integers"},
    FormRow{"float",
            Int4Form::kPacked,
            &kWeightsOf<Int4Form::kPacked>,
            {0, ""},
            "matrices stay packed, as MatMulNBits reads them"},
    FormRow{"dequantize",
            Int4Form::kDequantized,
            &kWeightsOf<Int4Form::kDequantized>,
            {kBlockedOpset, "DequantizeLinear in blocks"},
            "matrices stay packed, for ONNX's own DequantizeLinear"},
};

const FormRow& form_row(std::string_view setting) {
  return *std::find_if(kForms.begin(), kForms.end(),
                       [&](const FormRow& row) { return row.setting == setting; });
}

/// How matrices are multiplied, and why.
struct Arithmetic {
  std::string_view setting;
  std::string reason;
};

Arithmetic choose_arithmetic(model::Model& model, const QuantizationConfig& config) {
  if (config.int4_arithmetic != "auto") {
    return {config.int4_arithmetic, "the configuration's int4_arithmetic says so"};
  }
  std::vector<Decision> told_later;
  int64_t count = 0;
  for (const Weight& weight : find_weights(model, told_later)) {
    if (is_matrix(weight)) count += count_of(weight);
  }
  if (count > kMostUnpacked) {
    return {"float", fmt::format("{} million weights would take {} MB while they are unpacked",
                                 count >> 20, count * kBytesWhileUnpacked >> 20)};
  }
  if (config.objective == "size") {
    return {"float",
            "the objective is size, and blocks with zero points err less for the same bytes"};
  }
  return {"integer",
          fmt::format("products of int8 take less time; {:.1f} million weights are unpacked",
                      static_cast<double>(count) / 1e6)};
}

/// Raises the operator set as the form needs it; packed ones need none where that is refused. Who
/// wants ONNX's own operators gets no others.
Result<const FormRow*> reach_form(model::Model& model, const MethodContext& context,
                                  Arithmetic& chosen, MethodOutcome& outcome) {
  const FormRow& row = form_row(chosen.setting);
  auto reached = raise_opset(model, row.goal, context, outcome);
  if (reached) return &row;
  if (row.form == Int4Form::kDequantized) return std::move(reached).error();
  chosen.reason = "it needs a newer operator set: " + reached.error().message();
  return &form_row("float");
}

/// Exact changes of the float model after which inputs round better.
Result<DividedModel> divide_by_inputs(model::Model& model, const MethodContext& context,
                                      Int4Form form) {
  if (form == Int4Form::kUnpacked) {
    if (!smooths_inputs(context)) return DividedModel();
    return smooth_inputs(model, context, wanted_detail(context));
  }
  if (!scales_by_awq(context)) return DividedModel();
  const GridOf grid_of = [blocking = int4_blocking(context.config)](Floats weights, size_t rows) {
    return packed_grid(weights, rows, blocking).grid;
  };
  return scale_by_awq(model, context, grid_of);
}

}  // namespace

const WeightMethod kInt4Weights = kWeightsOf<Int4Form::kPacked>;

Result<MethodOutcome> run_int4(model::Model& model, const MethodContext& context) {
  Arithmetic chosen = choose_arithmetic(model, context.config);
  MethodOutcome before;
  const FormRow& row = *WATTWISE_TRY(reach_form(model, context, chosen, before));
  const OpsetGoal storage{kInt4StorageOpset, "shifts, which unpack 4 bits"};
  if (const auto reached = raise_opset(model, storage, context, before); !reached) {
    before.decisions.push_back({"leave", "weights of convolutions", reached.error().message()});
  }
  const DividedModel divided = WATTWISE_TRY(divide_by_inputs(model, context, row.form));
  append(before, divided.outcome);
  auto outcome = WATTWISE_TRY(quantize_weights(model, context, *row.weights, divided.statistics));
  if (!outcome.applied.empty() && row.form != Int4Form::kDequantized) {
    model.require_opset("com.microsoft", 1);
  }
  append(outcome, before);
  outcome.decisions.push_back(
      {"compute", "int4", fmt::format("{}: {}", row.description, chosen.reason)});
  return outcome;
}

}  // namespace wattwise::quantize
