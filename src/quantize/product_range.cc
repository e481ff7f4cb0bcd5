// SPDX-License-Identifier: Apache-2.0
#include "quantize/product_range.h"

#include <algorithm>

namespace wattwise::quantize {
namespace {

constexpr double kUint8Steps = 255;
/// Mean square of an error that is even over a step of 1.
constexpr double kEvenStepError = 1.0 / 12;
/// 3 dB of what inputs lose. Clipping is counted as if nothing made up for it: with every value of
/// MiniLM on such a range, those that lose 11 dB by this count too, embeddings keep their cosine.
constexpr double kBearable = 2;

Range extremes(const InputStatistics::Excerpt& excerpt) {
  return {*std::min_element(excerpt.low.begin(), excerpt.low.end()),
          *std::max_element(excerpt.high.begin(), excerpt.high.end())};
}

double rounding_error(const Range& range) {
  const double step = (static_cast<double>(range.high) - range.low) / kUint8Steps;
  return step * step * kEvenStepError;
}

double clipping_error(float value, const Range& range) {
  const double beyond = static_cast<double>(value) - std::clamp(value, range.low, range.high);
  return beyond * beyond;
}

/// Mean square of what an element of the sample loses by clipping: as the rows that were kept show
/// it, or as the columns' extremes do if each occurs once, whichever is more.
double clipping_error(const InputStatistics::Excerpt& excerpt, const Range& range) {
  double of_rows = 0;
  for (const float value : excerpt.rows) of_rows += clipping_error(value, range);
  double of_extremes = 0;
  for (const float value : excerpt.low) of_extremes += clipping_error(value, range);
  for (const float value : excerpt.high) of_extremes += clipping_error(value, range);
  const auto width = static_cast<double>(excerpt.low.size());
  return std::max(of_rows / static_cast<double>(excerpt.rows.size()),
                  of_extremes / (width * static_cast<double>(excerpt.row_count)));
}

}  // namespace

ProductRange choose_product_range(const InputStatistics& statistics) {
  double low = 0;
  double high = 0;
  for (const auto& excerpt : statistics.excerpts) {
    const Range own = extremes(excerpt);
    low += own.low;
    high += own.high;
  }
  const auto samples = static_cast<double>(statistics.excerpts.size());
  ProductRange chosen{{static_cast<float>(low / samples), static_cast<float>(high / samples)}};
  for (const auto& excerpt : statistics.excerpts) {
    const double share = static_cast<double>(excerpt.row_count);
    chosen.error += share * clipping_error(excerpt, chosen.range);
    chosen.error += share * rounding_error(chosen.range);
    chosen.error_own += share * rounding_error(extremes(excerpt));
  }
  double rows = 0;
  for (const auto& excerpt : statistics.excerpts) rows += static_cast<double>(excerpt.row_count);
  chosen.error /= rows;
  chosen.error_own /= rows;
  return chosen;
}

bool is_faithful(const ProductRange& chosen) {
  return chosen.range.low < chosen.range.high && chosen.error <= kBearable * chosen.error_own;
}

}  // namespace wattwise::quantize
