// SPDX-License-Identifier: Apache-2.0
// The reference: what every other file of this folder must agree with, bit by bit.
#include "quantize/simd/elements.h"

namespace wattwise::quantize {
namespace {

using namespace elements;  // NOLINT(google-build-using-namespace)

float largest(const FileFloat* w, size_t count) {
  float found = 0;
  for (size_t i = 0; i < count; ++i) found = larger(std::fabs(w[i]), found);
  return found;
}

void raise_largest(const FileFloat* w, size_t count, float* found) {
  for (size_t c = 0; c < count; ++c) found[c] = larger(std::fabs(w[c]), found[c]);
}

void raise_largest_sum(const FileFloat* a, const FileFloat* b, size_t count, float* found) {
  for (size_t c = 0; c < count; ++c) found[c] = larger(std::fabs(a[c] + b[c]), found[c]);
}

/// Adds up in the order that is fixed for all.
class LaneSums {
 public:
  explicit LaneSums(size_t count) : in_lanes_(count - count % kSumLanes) {}

  void add(size_t i, float weight, float square) {
    if (i < in_lanes_) {
      lanes_[i % kSumLanes].signal += weight * weight;
      lanes_[i % kSumLanes].noise += square;
      return;
    }
    if (i == in_lanes_) total_ = sum_of_lanes();
    total_.signal += weight * weight;
    total_.noise += square;
  }

  SquaredSums total(size_t count) const { return count > in_lanes_ ? total_ : sum_of_lanes(); }

 private:
  SquaredSums sum_of_lanes() const {
    SquaredSums sum;
    for (const SquaredSums& lane : lanes_) {
      sum.signal += lane.signal;
      sum.noise += lane.noise;
    }
    return sum;
  }

  size_t in_lanes_;
  std::array<SquaredSums, kSumLanes> lanes_{};
  SquaredSums total_;
};

SquaredSums round_error(const FileFloat* w, size_t count, float scale) {
  const float inverse = 1 / scale;
  LaneSums sums(count);
  for (size_t i = 0; i < count; ++i) {
    sums.add(i, w[i], square_of_error(w[i], round_int8(w[i], inverse), scale));
  }
  return sums.total(count);
}

void round(const FileFloat* w, size_t count, float scale, int8_t* q) {
  const float inverse = 1 / scale;
  for (size_t i = 0; i < count; ++i) q[i] = static_cast<int8_t>(round_int8(w[i], inverse));
}

SquaredSums loss(const FileFloat* w, const int8_t* q, size_t count, float scale) {
  LaneSums sums(count);
  for (size_t i = 0; i < count; ++i) sums.add(i, w[i], square_of_error(w[i], q[i], scale));
  return sums.total(count);
}

void add_losses(const FileFloat* w, const int8_t* q, std::span<const float> scales,
                const ColumnSums& sums) {
  for (size_t c = 0; c < scales.size(); ++c) {
    sums.signal[c] += w[c] * w[c];
    sums.noise[c] += square_of_error(w[c], q[c], scales[c]);
  }
}

void add_errors(const FileFloat* w, const ColumnScales& scales, float* errors) {
  for (size_t c = 0; c < scales.count; ++c) {
    errors[c] += square_of_error(w[c], round_int8(w[c], scales.inverse[c]), scales.scale[c]);
  }
}

void round_each(const FileFloat* w, std::span<const float> inverse, int8_t* q) {
  for (size_t c = 0; c < inverse.size(); ++c) {
    q[c] = static_cast<int8_t>(round_int8(w[c], inverse[c]));
  }
}

void add_pair_errors(const FileFloat* a, const FileFloat* b, const ColumnScales& scales,
                     float* errors) {
  for (size_t c = 0; c < scales.count; ++c) {
    const Pair q = round_pair(a[c], b[c], scales.inverse[c]);
    errors[c] +=
        square_of_error(a[c], q.a, scales.scale[c]) + square_of_error(b[c], q.b, scales.scale[c]);
  }
}

void round_pairs(const FileFloat* a, std::span<const float> inverse, size_t stride, int8_t* q) {
  for (size_t c = 0; c < inverse.size(); ++c) {
    const Pair pair = round_pair(a[c], a[c + stride], inverse[c]);
    q[c] = static_cast<int8_t>(pair.a);
    q[c + stride] = static_cast<int8_t>(pair.b);
  }
}

void round_int4(const TileView& tile, Int4Tile& out) {
  for (size_t c = 0; c < tile.columns; ++c) round_block(tile, c, out);
}

void paired_errors(const TileView& tile, const PairedGrid& grid, float* errors) {
  for (size_t c = 0; c < tile.columns; ++c) errors[c] = paired_error(tile, grid, c);
}

float fit_error(const float* w, size_t count, const Int4Fit& fit) {
  const float inverse = 1 / fit.step;
  LaneSums sums(count);
  for (size_t i = 0; i < count; ++i) {
    const float q = round_fit(w[i], fit, inverse) - fit.zero;
    sums.add(i, 0, square_of_error(w[i], q, fit.step));
  }
  return sums.total(count).noise;
}

ValueLook look(std::span<const float> x, const Range& common, float* outside) {
  ValueLook found;
  for (const float value : x) {
    found.low = smaller(value, found.low);
    found.high = elements::larger(value, found.high);
    found.is_finite = found.is_finite && std::isfinite(value);
    if (value < common.low || value > common.high) outside[found.outside++] = value;
  }
  found.low += 0.0F;
  found.high += 0.0F;
  return found;
}

}  // namespace

const RoundingKernels kScalarKernels = {
    "scalar",
    [] { return true; },
    largest,
    raise_largest,
    raise_largest_sum,
    round_error,
    round,
    add_errors,
    round_each,
    add_pair_errors,
    round_pairs,
    loss,
    add_losses,
    round_int4,
    paired_errors,
    fit_error,
    look,
};

}  // namespace wattwise::quantize
