// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "quantize/quantize_weights.h"

namespace wattwise::quantize {

/// What a weight may become, from the most exact to the least.
enum class Format {
  kFloat,    ///< as it is
  kHalf,     ///< stored in 16 bits, float arithmetic
  kInt8,     ///< stored in 8 bits, as `weight_only` does it
  kDynamic,  ///< 8 bits, multiplied by 8-bit inputs, as `dynamic` does it
  kInt4,     ///< 4-bit blocks, as `int4` does it
};
std::string_view format_name(Format format);

/// What a weight becomes in this format, minus what it is, when each of its values is rounded to
/// the nearest. An LSTM's weight counts as stored by channel where its format is kDynamic.
std::vector<float> format_errors(const Weight& weight, Format format);

/// One format of a weight and what it costs.
struct FormatOption {
  Format format = Format::kFloat;
  double bytes = 0;  ///< in the file
  double ns = 0;     ///< estimated time of what reads it, on one core
  double noise = 0;  ///< sum of the squared errors of the weights
  /// The part of what its inputs would lose by 8 bits over the whole range that they do lose.
  double input_share = 0;
};

/// The formats that the methods have for this weight, float first. For an LSTM whose two weights go
/// together, `recurrence` is the other one; it counts in all figures. `shapes` tells how much is
/// multiplied; where it does not, the weight is read once.
struct FormatQuery {
  const Weight& weight;
  const Weight* recurrence;
  const model::ShapeTable& shapes;
  bool multiplies_bytes;  ///< weight_only's matrices multiply in integers
};
std::vector<FormatOption> format_options(const FormatQuery& query);

/// The estimated time alone. Precondition: the weight has the format.
double format_ns(const FormatQuery& query, Format format);
/// Whether `dynamic` multiplies the weight in integers.
bool has_dynamic_format(const FormatQuery& query);

}  // namespace wattwise::quantize
