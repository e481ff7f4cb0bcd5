// SPDX-License-Identifier: Apache-2.0
#include "quantize/store_half.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/half.h"
#include "optimize/graph_editor.h"
#include "quantize/kernels.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

using optimize::make_node;

/// Fewer floats than this cost less than the Cast that would unpack them.
constexpr size_t kWorthACast = 64;
constexpr double kFaithfulDb = 60;

/// Operators that take a vector as a plain operand. Those that a runtime looks for with constants
/// beside them, such as QuantizeLinear, keep theirs.
constexpr std::array kVectorReaders = {
    "Add",  "BatchNormalization", "Conv", "ConvTranspose", "Gemm", "GRU",
    "LSTM", "LayerNormalization", "Mul"};

bool is_read_plainly(const Weight& weight) {
  return std::all_of(weight.readers.begin(), weight.readers.end(), [](const WeightReader& reader) {
    return reader.node->is_standard() && std::find(kVectorReaders.begin(), kVectorReaders.end(),
                                                   reader.node->op_type) != kVectorReaders.end();
  });
}

/// Below it halves lose bits.
constexpr float kLeastNormalHalf = 6.104e-5F;

struct Halves {
  std::vector<Half> values;
  double sqnr_db;
};

Halves to_halves(Floats values) {
  Halves out{std::vector<Half>(values.size()), 0};
  double signal = 0;
  double noise = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    values.passed(i);
    out.values[i] = to_half(values[i]);
    const float error = values[i] - to_float(out.values[i]);
    signal += values[i] * values[i];
    noise += error * error;
  }
  out.sqnr_db = decibels(signal, noise);
  return out;
}

/// Looks at the halves where they are.
Tensor half_tensor(std::vector<int64_t> shape, const std::vector<Half>& halves) {
  return {DataType::kFloat16, std::move(shape), Bytes::view_of(std::span<const Half>(halves)), {}};
}

model::Node cast_to_float(const std::string& from, const std::string& to) {
  model::Node cast = make_node("Cast", {from}, to);
  cast.set_attribute("to", static_cast<int64_t>(DataType::kFloat));
  return cast;
}

}  // namespace

bool fits_half(const Weight& weight) {
  const auto values = weight.values();
  for (size_t i = 0; i < values.size(); ++i) {
    values.passed(i);
    if (!(std::fabs(values[i]) < kHalfOverflow)) return false;
  }
  return true;
}

LayerQuantization store_half(const Weight& weight, ModelEdits& edits) {
  const Halves halves = to_halves(weight.values());
  const std::string stored =
      edits.add_constant(weight, "_fp16", half_tensor(weight.constant.shape, halves.values));
  edits.add_first(weight, cast_to_float(stored, weight.name));
  edits.remove_constant(weight);
  return {layer_name(weight), weight.name, "fp16, stored only",
          static_cast<int64_t>(weight.values().size()), halves.sqnr_db};
}

namespace {

/// Whether the halves serve where a BatchNormalization divides by the root of a variance, and takes
/// a mean away that may be many times that root.
bool serve_as_statistics(const Weight& vector, const Halves& halves) {
  constexpr size_t kMean = 3;
  constexpr size_t kVariance = 4;
  const auto is_read_at = [&](size_t slot) {
    return std::any_of(vector.readers.begin(), vector.readers.end(),
                       [&](const WeightReader& reader) {
                         return reader.node->is("BatchNormalization") && reader.slot == slot;
                       });
  };
  const auto values = vector.values();
  const auto all = [&](const auto& serves) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (!serves(values[i], to_float(halves.values[i]))) return false;
    }
    return true;
  };
  return (!is_read_at(kMean) || all([](float value, float half) { return value == half; })) &&
         (!is_read_at(kVariance) ||
          all([](float value, float) { return value > kLeastNormalHalf; }));
}

}  // namespace

size_t store_half_vectors(model::Model& model, ModelEdits& edits) {
  const auto read = edits.read_in_places();
  const auto is_given_up = [&](const Weight& vector) {
    return !read.contains(vector.name) &&
           std::all_of(vector.readers.begin(), vector.readers.end(),
                       [&](const WeightReader& reader) { return edits.replaces(reader); });
  };
  size_t count = 0;
  for (const Weight& vector : find_vectors(model)) {
    if (!is_read_plainly(vector) || !fits_half(vector) || is_given_up(vector)) continue;
    const Halves halves = to_halves(vector.values());
    if (halves.sqnr_db < kFaithfulDb || !serve_as_statistics(vector, halves)) continue;
    store_half(vector, edits);
    count += vector.readers.size();
  }
  return count;
}

std::string add_floats(const Weight& weight, const FloatArray& array, ModelEdits& edits) {
  std::vector<Half> halves(array.values.size());
  std::transform(array.values.begin(), array.values.end(), halves.begin(), to_half);
  const bool exact = std::equal(halves.begin(), halves.end(), array.values.begin(),
                                [](Half half, float value) { return to_float(half) == value; });
  if (!exact || halves.size() < kWorthACast) {
    return edits.add_constant(weight, array.suffix, make_float_tensor(array.shape, array.values));
  }
  const std::string stored = edits.add_constant(weight, std::string(array.suffix) + "_fp16",
                                                half_tensor(array.shape, halves));
  std::string wide = edits.unique(weight.name + std::string(array.suffix));
  edits.add_first(weight, cast_to_float(stored, wide));
  return wide;
}

std::string add_vector(const Weight& weight, const FloatArray& array, ModelEdits& edits) {
  const Halves halves = to_halves(array.values);
  if (!(halves.sqnr_db >= kFaithfulDb)) return add_floats(weight, array, edits);
  std::vector<float> rounded(halves.values.size());
  std::transform(halves.values.begin(), halves.values.end(), rounded.begin(), to_float);
  return add_floats(weight, {array.suffix, array.shape, rounded}, edits);
}

}  // namespace wattwise::quantize
