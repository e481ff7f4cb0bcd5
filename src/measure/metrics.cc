// SPDX-License-Identifier: Apache-2.0
#include "measure/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/extremes.h"
#include "core/finite.h"
#include "core/half.h"

namespace wattwise::measure {
namespace {

template <typename T>
std::vector<float> widen(const Tensor& tensor) {
  const auto values = tensor.values<T>();
  std::vector<float> out(values.size());
  std::transform(values.begin(), values.end(), out.begin(),
                 [](T value) { return static_cast<float>(value); });
  return out;
}

/// Outputs read as class scores: a last axis of 2 to 100,000 values, one row per decision.
struct Rows {
  size_t count = 0;
  size_t width = 0;
};

Rows rows_of(const Tensor& tensor) {
  if (tensor.shape.empty() || tensor.type != DataType::kFloat) return {};
  const int64_t width = tensor.shape.back();
  if (width < 2 || width > 100'000 || tensor.shape.size() > 3) return {};
  return {static_cast<size_t>(tensor.element_count() / width), static_cast<size_t>(width)};
}

/// Rows look like scores when they are probabilities: not negative, each with the sum 1.
bool is_distribution(const Tensor& tensor) {
  const Rows rows = rows_of(tensor);
  if (rows.count == 0) return false;
  const auto values = tensor.values<float>();
  for (size_t row = 0; row < rows.count; ++row) {
    double sum = 0;
    for (const float value : values.subspan(row * rows.width, rows.width)) {
      if (value < 0) return false;
      sum += value;
    }
    if (std::abs(sum - 1) > 1e-3) return false;
  }
  return true;
}

/// Of a row without NaN; looking for the largest first is faster, since that needs no branches.
size_t arg_max(std::span<const float> row) {
  const auto it = std::find(row.begin(), row.end(), extremes_of(row).high);
  if (it != row.end()) return static_cast<size_t>(it - row.begin());
  return static_cast<size_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

struct Agreement {
  size_t equal = 0;
  size_t total = 0;
};

void count_agreement(const Tensor& reference, const Tensor& other, Agreement& agreement) {
  const Rows rows = rows_of(reference);
  const auto a = reference.values<float>();
  const auto b = other.values<float>();
  for (size_t row = 0; row < rows.count; ++row) {
    const size_t start = row * rows.width;
    ++agreement.total;
    agreement.equal +=
        arg_max(a.subspan(start, rows.width)) == arg_max(b.subspan(start, rows.width));
  }
}

/// Whether values, all finite, lie further apart than that; those of a constant lie 0 apart.
bool varies(std::span<const float> values, double tolerance) {
  if (values.empty()) return false;
  const Extremes extremes = extremes_of(values);
  return static_cast<double>(extremes.high) - extremes.low > tolerance;
}

/// Two outputs as floats, without what the reference has no finite value for: there is nothing to
/// hold it against. Read where they lie if nothing has to be changed.
struct ComparedFloats {
  std::vector<float> own_reference, own_other;
  std::span<const float> reference, other;
};

/// Drops what the reference has no finite value for.
void keep_finite(ComparedFloats& floats) {
  if (all_finite(floats.reference)) return;
  std::vector<float> reference;
  std::vector<float> other;
  for (size_t i = 0; i < floats.reference.size(); ++i) {
    if (!std::isfinite(floats.reference[i])) continue;
    reference.push_back(floats.reference[i]);
    other.push_back(floats.other[i]);
  }
  floats = {std::move(reference), std::move(other), {}, {}};
  floats.reference = floats.own_reference;
  floats.other = floats.own_other;
}

Result<std::span<const float>> look_at(const Tensor& tensor, std::vector<float>& own) {
  if (tensor.type == DataType::kFloat) return tensor.values<float>();
  own = WATTWISE_TRY(as_floats(tensor));
  return std::span<const float>(own);
}

/// Precondition: tensors of one shape.
Result<ComparedFloats> finite_floats(const Tensor& reference, const Tensor& other) {
  ComparedFloats floats;
  floats.reference = WATTWISE_TRY(look_at(reference, floats.own_reference));
  floats.other = WATTWISE_TRY(look_at(other, floats.own_other));
  keep_finite(floats);
  return floats;
}

double cosine_of(double dot, double aa, double bb) {
  if (aa == 0 && bb == 0) return 1;
  return aa == 0 || bb == 0 ? 0 : dot / std::sqrt(aa * bb);
}

double sqnr_of(double signal, double noise) {
  if (noise == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(signal / noise);
}

/// Sums over two lists of one length.
struct PairSums {
  double dot = 0, aa = 0, bb = 0;
  double noise = 0;      ///< of the squared differences
  double largest = 0;    ///< difference
  double magnitude = 0;  ///< of the first
};

PairSums sum_up(std::span<const float> a, std::span<const float> b) {
  PairSums sums;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i];
    const double y = b[i];
    const double difference = x - y;
    sums.dot += x * y;
    sums.aa += x * x;
    sums.bb += y * y;
    sums.noise += difference * difference;
    sums.largest = std::max(sums.largest, std::abs(difference));
    sums.magnitude = std::max(sums.magnitude, std::abs(x));
  }
  return sums;
}

}  // namespace

double sqnr_db(std::span<const float> reference, std::span<const float> other) {
  const PairSums sums = sum_up(reference, other);
  return sqnr_of(sums.aa, sums.noise);
}

double cosine(std::span<const float> a, std::span<const float> b) {
  const PairSums sums = sum_up(a, b);
  return cosine_of(sums.dot, sums.aa, sums.bb);
}

Result<std::vector<float>> as_floats(const Tensor& tensor) {
  switch (tensor.type) {
    case DataType::kFloat:
      return widen<float>(tensor);
    case DataType::kDouble:
      return widen<double>(tensor);
    case DataType::kInt64:
      return widen<int64_t>(tensor);
    case DataType::kInt32:
      return widen<int32_t>(tensor);
    case DataType::kInt8:
      return widen<int8_t>(tensor);
    case DataType::kUint8:
    case DataType::kBool:
      return widen<uint8_t>(tensor);
    case DataType::kFloat16: {
      std::vector<float> out;
      for (const uint16_t half : tensor.values<uint16_t>()) out.push_back(to_float(Half{half}));
      return out;
    }
    default:
      return Error(ErrorCode::kUnsupported, fmt::format("outputs of type {} cannot be compared",
                                                        data_type_name(tensor.type)));
  }
}

namespace {

/// Compares outputs of the same names and hands the sums over each to `visit`, with how many values
/// they are of.
template <typename Visit>
Result<std::vector<OutputAccuracy>> compare_each(const TensorMap& reference, const TensorMap& other,
                                                 const Probabilities& probabilities,
                                                 const Visit& visit) {
  std::vector<OutputAccuracy> out;
  for (const auto& [name, expected] : reference) {
    const auto it = other.find(name);
    if (it == other.end()) {
      return Error(ErrorCode::kInvalidArgument, fmt::format("the output {} is missing", name));
    }
    if (it->second.shape != expected.shape) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("the output {} has another shape", name));
    }
    const auto floats = WATTWISE_TRY(finite_floats(expected, it->second));
    if (floats.reference.empty() && expected.element_count() > 0) {
      constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
      out.push_back({name, kNone, kNone, kNone, kNone});
      visit(name, PairSums(), 0);
      continue;
    }
    const PairSums sums = sum_up(floats.reference, floats.other);
    visit(name, sums, floats.reference.size());
    const double floor = probabilities.contains(name) ? kProbabilityFloor : 0;
    const double relative = sums.largest == 0 ? 0 : sums.largest / std::max(floor, sums.magnitude);
    out.push_back({name, sqnr_of(sums.aa, sums.noise), cosine_of(sums.dot, sums.aa, sums.bb),
                   sums.largest, relative});
  }
  return out;
}

}  // namespace

Result<std::vector<OutputAccuracy>> compare_outputs(const TensorMap& reference,
                                                    const TensorMap& other,
                                                    const Probabilities& probabilities) {
  return compare_each(reference, other, probabilities,
                      [](const std::string&, const PairSums&, size_t) {});
}

void keep_worst(const std::vector<OutputAccuracy>& sample, std::vector<OutputAccuracy>& worst) {
  for (const OutputAccuracy& output : sample) {
    const auto known = std::find_if(worst.begin(), worst.end(), [&](const OutputAccuracy& other) {
      return other.output == output.output;
    });
    if (known == worst.end()) {
      worst.push_back(output);
      continue;
    }
    known->sqnr_db = std::min(known->sqnr_db, output.sqnr_db);
    known->cosine = std::min(known->cosine, output.cosine);
    known->max_abs_error = std::max(known->max_abs_error, output.max_abs_error);
    known->max_relative_error = std::max(known->max_relative_error, output.max_relative_error);
  }
}

bool has_finite_value(const TensorMap& outputs) {
  return std::any_of(outputs.begin(), outputs.end(), [](const auto& output) {
    std::vector<float> own;
    const auto values = look_at(output.second, own);
    return !values || values->empty() ||
           std::any_of(values->begin(), values->end(), [](float v) { return std::isfinite(v); });
  });
}

std::vector<std::string> outputs_with_nan(const TensorMap& outputs) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : outputs) {
    if (tensor.type != DataType::kFloat) continue;
    const auto values = tensor.values<float>();
    if (std::any_of(values.begin(), values.end(), [](float v) { return std::isnan(v); })) {
      names.push_back(name);
    }
  }
  return names;
}

Result<std::vector<OutputAccuracy>> DropSums::add(const TensorMap& reference,
                                                  const TensorMap& other) {
  const auto add_up = [&](const std::string& name, const PairSums& found, size_t count) {
    OutputSums& sums = outputs_[name];
    // Beside each value, in both.
    const double floor = probabilities_.contains(name)
                             ? kProbabilityFloor * kProbabilityFloor * static_cast<double>(count)
                             : 0;
    sums.dot += found.dot + floor;
    sums.aa += found.aa + floor;
    sums.bb += found.bb + floor;
    const Tensor& expected = reference.at(name);
    sums.scores = sums.scores && is_distribution(expected);
    if (!sums.scores) return;
    Agreement agreement;
    count_agreement(expected, other.at(name), agreement);
    sums.equal += agreement.equal;
    sums.decisions += agreement.total;
  };
  return compare_each(reference, other, probabilities_, add_up);
}

AccuracyDrop DropSums::drop() const {
  if (outputs_.empty()) return {0, "nothing"};
  AccuracyDrop of_decisions{-1, ""};
  AccuracyDrop of_values{-1, ""};
  const auto keep = [](double percent, std::string compared_by, AccuracyDrop& worst) {
    if (percent > worst.percent) worst = {percent, std::move(compared_by)};
  };
  for (const auto& [name, sums] : outputs_) {
    if (sums.scores) {
      const auto differing = static_cast<double>(sums.decisions - sums.equal);
      keep(100 * differing / static_cast<double>(sums.decisions), "decision agreement on " + name,
           of_decisions);
    } else {
      keep(100 * (1 - cosine_of(sums.dot, sums.aa, sums.bb)), "cosine of " + name, of_values);
    }
  }
  return of_decisions.percent >= 0 ? of_decisions : of_values;
}

std::optional<std::string> insane(const TensorMap& reference, const TensorMap& other,
                                  const Probabilities& probabilities) {
  for (const auto& [name, expected] : reference) {
    const auto it = other.find(name);
    if (it == other.end()) return fmt::format("the output {} is missing", name);
    // compare_outputs() tells of another shape.
    if (it->second.shape != expected.shape) continue;
    const auto floats = finite_floats(expected, it->second);
    if (!floats) continue;
    if (!all_finite(floats->other)) {
      return fmt::format("the output {} holds NaN or infinity where the float model has none",
                         name);
    }
    const double tolerance = probabilities.contains(name) ? kProbabilityFloor : 0;
    if (varies(floats->reference, tolerance) && !varies(floats->other, 0)) {
      return fmt::format("the output {} is constant where the float model's varies", name);
    }
  }
  return std::nullopt;
}

double quantile(std::vector<double> samples, double q) {
  std::sort(samples.begin(), samples.end());
  const double position = q * static_cast<double>(samples.size() - 1);
  const auto below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, samples.size() - 1);
  const double part = position - static_cast<double>(below);
  return samples[below] * (1 - part) + samples[above] * part;
}

Interval median_interval(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  // The median lies between the k-th smallest and the k-th largest sample with probability
  // 1 - 2 P(Binomial(n, 1/2) < k); the largest k that keeps 95 % is taken.
  const auto n = samples.size();
  double tail = std::pow(0.5, static_cast<double>(n));
  double term = tail;
  size_t k = 0;
  while (k < n / 2 && 2 * tail <= 0.05) {
    ++k;
    term *= static_cast<double>(n - k + 1) / static_cast<double>(k);
    tail += term;
  }
  const size_t rank = k == 0 ? 0 : k - 1;
  return {quantile(samples, 0.5), samples[rank], samples[n - 1 - rank]};
}

}  // namespace wattwise::measure
