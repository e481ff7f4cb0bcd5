// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>

#include "core/text.h"
#include "quantize/methods/methods.h"

namespace wattwise::quantize {
namespace {

constexpr std::array kMethods = {
    MethodRow{"none", "no change of precision", "float", "", "", 32, false, 1e-6, run_none},
    MethodRow{"fp16", "16-bit weights, float arithmetic", "16-bit floats, rounded to nearest", "",
              "", 16, false, 1e-5, run_fp16},
    MethodRow{"weight_only", "int8 weights, float activations",
              "int8 weights, symmetric, scales of least squared error", "", "", 8, false, 1e-3,
              run_weight_only},
    MethodRow{
        "dynamic", "int8 weights, activations quantized at run time",
        "int8 weights per column, symmetric, pairs limited for 16-bit sums; uint8 activations",
        kDynamicInt8, "no MatMul or LSTM has constant weights", 8, false, 5e-3, run_dynamic},
    MethodRow{
        "static", "int8 weights and activations, ranges from calibration data",
        "int8 weights, symmetric, pairs limited for 16-bit sums of bytes; activations per tensor, "
        "of the type that each layer names",
        kStatic, "no convolution pays in integers, or the provider has no operator of the model", 8,
        true, 5e-3, run_static},
    MethodRow{"int4", "4-bit block weights, multiplied as int8 or as they are",
              "4-bit weights in blocks: of 16 per column, symmetric, unpacked to int8 within the "
              "pair limit; as its layers say elsewhere",
              kInt4Prefix, "no matrix, table or large convolution has weights that may take 4 bits",
              4, false, 2e-2, run_int4},
    MethodRow{"mixed", "a format for each layer, within the accuracy limit",
              "float, 16-bit, int8 or 4-bit blocks for each weight, by what it does to the outputs",
              "", "", 8, false, 5e-3, run_mixed},
};

}  // namespace

std::span<const MethodRow> method_table() { return kMethods; }

Result<const MethodRow*> find_method(std::string_view name) {
  std::vector<std::string> known = {"auto", "int8"};
  for (const MethodRow& row : kMethods) {
    if (row.name == name) return &row;
    known.emplace_back(row.name);
  }
  return Error(ErrorCode::kInvalidArgument, fmt::format("quantization method \"{}\" is unknown.{}",
                                                        name, suggestion(name, known)));
}

}  // namespace wattwise::quantize
