// SPDX-License-Identifier: Apache-2.0
#include "quantize/smooth_inputs.h"

#include <fmt/format.h>

#include <utility>

#include "core/text.h"
#include "quantize/kernels.h"
#include "quantize/smoothing.h"
#include "quantize/techniques.h"

namespace wattwise::quantize {

namespace {

/// Less than 2 dB are not worth a pass over the values: a Mul of 64 rows of 1536 takes a tenth of
/// the time of the product behind it.
constexpr double kNodeWorthIt = 0.63;

}  // namespace

bool smooths_inputs(const MethodContext& context) {
  return context.calibration && Techniques(context.config).has(Technique::kSmoothQuant);
}

Detail wanted_detail(const MethodContext& context) {
  return Techniques(context.config).need_inputs() ? Detail::kGram : Detail::kExtremes;
}

Result<DividedModel> smooth_inputs(model::Model& model, const MethodContext& context,
                                   Detail detail) {
  return divide_inputs(
      model, context, {"smooth", "smooth_inputs", detail},
      [](const InputStatistics& statistics, const std::vector<Floats>& matrices) {
        Smoothing smoothing = choose_smoothing(statistics, matrices);
        return ChosenDivisors{
            std::move(smoothing.divisors),
            fmt::format("by strength {:.2f}, gain of the products with it: {}", smoothing.strength,
                        format_decibels(decibels(smoothing.noise_without, smoothing.noise))),
            smoothing.noise < kNodeWorthIt * smoothing.noise_without};
      });
}

}  // namespace wattwise::quantize
