// SPDX-License-Identifier: Apache-2.0
#include "quantize/formats.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/half.h"
#include "model/node_macs.h"
#include "quantize/choose_int4.h"
#include "quantize/int4_matrices.h"
#include "quantize/store_half.h"
#include "quantize/store_int4.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

/// Of tables, and of matrices where the caller wants no other.
constexpr size_t kUsualInt4Block = 32;
/// An 8-bit weight with about its share of scales.
constexpr double kInt8Bytes = 1.03;
/// Inputs rounded in blocks of 64, each with a range of its own, lose about a tenth of what they
/// lose by one range.
constexpr double kBlockInputs = 0.1;

/// ns of a multiplication, of a byte that is read at run time, of a call, of a value that is
/// rounded or unpacked beside the product, and of a step of a recurrence, on one core with AVX-512
/// and VNNI, from profiles of transformer layers and LSTM steps in ONNX Runtime 1.32 and products
/// of 1 to 256 rows by matrices of 4 to 1,536. Only ratios decide anything.
struct Speed {
  double multiplication;
  double byte;
  double call;
  double bytes_at_run;  ///< of a weight
  double value;
  double step;
};

Speed speed_of(Format format, bool multiplies_bytes) {
  constexpr Speed kFloat = {0.0085, 0.02, 1500, 4, 0, 0};
  if (format == Format::kDynamic) return {0.0024, 0.02, 3200, 1, 0.19, 200};
  if (format == Format::kInt4) return {0.0070, 0.02, 2500, 0.6, 0, 0};
  if (format == Format::kInt8 && multiplies_bytes) return {0.0062, 0.02, 2500, 1, 0.34, 0};
  return kFloat;
}

double sum_of_squares(const std::vector<float>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return sum;
}

std::vector<float> half_errors(const Weight& weight) {
  const Floats values = weight.values();
  std::vector<float> errors(values.size());
  for (size_t i = 0; i < errors.size(); ++i) errors[i] = to_float(to_half(values[i])) - values[i];
  return errors;
}

std::vector<float> pair_errors(const Weight& weight) {
  const Floats values = weight.values();
  const size_t columns = weight.dim(1);
  const Int8Weights pairs = quantize_matrix(values, matrix_shape(weight));
  std::vector<float> errors(values.size());
  for (size_t i = 0; i < errors.size(); ++i) {
    errors[i] = pairs.scales[i % columns] * pairs.values[i] - values[i];
  }
  return errors;
}

/// Whether `int4` gives a table 4 bits.
bool is_int4_table(const Weight& weight) {
  return is_embedding(weight) && weight.share >= kWorthwhileShare && has_int4_rows(weight);
}

std::vector<float> int4_table_errors(const Weight& weight) {
  const model::Constant left = after_int4(weight);
  const Floats kept(left.data.view());
  const Floats values = weight.values();
  std::vector<float> errors(values.size());
  for (size_t i = 0; i < errors.size(); ++i) errors[i] = kept[i] - values[i];
  return errors;
}

std::vector<float> int4_errors(const Weight& weight) {
  const Floats values = weight.values();
  const size_t columns = weight.dim(1);
  const RoundingGrid grid = packed_grid(values, weight.dim(0), weight.int4).grid;
  const std::vector<int8_t> rounded = round_to_nearest(values, grid);
  std::vector<float> errors(values.size());
  for (size_t i = 0; i < errors.size(); ++i) {
    const size_t group = i / columns / grid.rows_per_group;
    errors[i] = grid.steps[group * columns + i % columns] * rounded[i] - values[i];
  }
  return errors;
}

/// A 4-bit weight with its share of a factor and of a zero point, of 4 bits each.
double int4_bytes(const Weight& weight) {
  constexpr double kNibble = 0.5;
  const bool is_chosen = is_matrix(weight) && weight.int4.block > 0;
  const bool has_zeros = !(is_matrix(weight) && weight.int4.is_symmetric);
  const size_t block = is_chosen ? weight.int4.block : kUsualInt4Block;
  return kNibble + (kNibble + (has_zeros ? kNibble : 0)) / static_cast<double>(block);
}

double count_elements(const FormatQuery& query) {
  const size_t recurrent = query.recurrence ? query.recurrence->values().size() : 0;
  return static_cast<double>(query.weight.values().size() + recurrent);
}

/// A matrix is asked for its result: what it reads may be a value that shapes do not tell of.
std::optional<double> count_multiplications(const FormatQuery& query, const model::Node& node) {
  if (!is_matrix(query.weight)) return model::node_macs(node, query.shapes);
  const auto it = query.shapes.find(node.outputs[0]);
  if (it == query.shapes.end()) return std::nullopt;
  double product = static_cast<double>(query.weight.dim(0));
  for (const int64_t size : it->second.shape) product *= static_cast<double>(size);
  return product > 0 ? std::optional(product) : std::nullopt;
}

/// How many steps an LSTM takes; 1 where that is not known.
double count_steps(const FormatQuery& query, const model::Node& node) {
  const auto it = query.shapes.find(node.inputs[0]);
  if (it == query.shapes.end() || it->second.shape.empty()) return 1;
  return std::max(1.0, static_cast<double>(it->second.shape[0]));
}

/// Values that are rounded before the product and unpacked behind it.
double count_rounded(const FormatQuery& query, const model::Node& node, double multiplications) {
  const auto size = [&](const Weight& weight, size_t axis) {
    return static_cast<double>(weight.dim(axis));
  };
  if (is_matrix(query.weight)) {
    return multiplications * (1 / size(query.weight, 0) + 1 / size(query.weight, 1));
  }
  if (!query.recurrence) return 0;
  // [directions, gates, hidden]
  const Weight& state = *query.recurrence;
  return count_steps(query, node) * size(state, 0) * (size(state, 1) + size(state, 2));
}

FormatOption make_option(const FormatQuery& query, Format format) {
  const std::array bytes = {4.0, 2.0, kInt8Bytes, kInt8Bytes, int4_bytes(query.weight)};
  FormatOption option{format, bytes.at(static_cast<size_t>(format)) * count_elements(query),
                      format_ns(query, format)};
  option.noise = sum_of_squares(format_errors(query.weight, format));
  if (query.recurrence) option.noise += sum_of_squares(format_errors(*query.recurrence, format));
  const bool in_blocks =
      format == Format::kInt4 ||
      (format == Format::kInt8 && query.multiplies_bytes && is_matrix(query.weight));
  option.input_share = format == Format::kDynamic ? 1 : in_blocks ? kBlockInputs : 0;
  return option;
}

}  // namespace

std::string_view format_name(Format format) {
  constexpr std::array<std::string_view, 5> kNames = {"float", "fp16", "int8 weights",
                                                      "int8 dynamic", "int4"};
  return kNames.at(static_cast<size_t>(format));
}

std::vector<float> format_errors(const Weight& weight, Format format) {
  const bool matrix = is_matrix(weight);
  if (format == Format::kFloat) return std::vector<float>(weight.values().size());
  if (format == Format::kHalf) return half_errors(weight);
  if (format == Format::kDynamic && matrix) return pair_errors(weight);
  if (format == Format::kInt4 && matrix) return int4_errors(weight);
  if (format == Format::kInt4 && is_int4_table(weight)) return int4_table_errors(weight);
  return int8_errors(weight);
}

double format_ns(const FormatQuery& query, Format format) {
  if (is_embedding(query.weight)) return 0;
  const double elements = count_elements(query);
  const Speed speed = speed_of(format, query.multiplies_bytes && is_matrix(query.weight));
  double ns = speed.byte * speed.bytes_at_run * elements;
  for (const WeightReader& reader : query.weight.readers) {
    const double count = count_multiplications(query, *reader.node).value_or(elements);
    ns += speed.call + speed.multiplication * count;
    ns += speed.value * count_rounded(query, *reader.node, count);
    if (query.recurrence) ns += speed.step * count_steps(query, *reader.node);
  }
  return ns;
}

bool has_dynamic_format(const FormatQuery& query) {
  return query.recurrence || is_matrix(query.weight);
}

std::vector<FormatOption> format_options(const FormatQuery& query) {
  const auto& [weight, recurrence, shapes, in_bytes] = query;
  std::vector<Format> formats = {Format::kFloat};
  const bool fits = fits_half(weight) && (!recurrence || fits_half(*recurrence));
  if (fits) formats.push_back(Format::kHalf);
  // What the writer of 8 bits stores in 16 is no format of its own.
  const bool is_stored = !is_embedding(weight) && !is_matrix(weight);
  if (!(weight.is_delicate && fits && is_stored)) formats.push_back(Format::kInt8);
  if (has_dynamic_format(query)) formats.push_back(Format::kDynamic);
  if (is_matrix(weight) || is_int4_table(weight)) formats.push_back(Format::kInt4);
  std::vector<FormatOption> options;
  for (const Format format : formats) options.push_back(make_option(query, format));
  return options;
}

}  // namespace wattwise::quantize
