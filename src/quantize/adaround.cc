// SPDX-License-Identifier: Apache-2.0
#include "quantize/adaround.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

namespace wattwise::quantize {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Index = Eigen::Index;

/// Rows whose slopes are computed at once, by one product.
constexpr Index kBatch = 64;
/// A smaller share of what it is measured by may be an error of the arithmetic.
constexpr float kWorthAMove = 1e-5F;

Index to_index(size_t value) { return static_cast<Index>(value); }

class Descent {
 public:
  Descent(const Rounding& start, Floats weights, std::span<const float> gram)
      : values_(start.values.begin(), start.values.end()),
        weights_(weights),
        grid_(start.grid),
        gram_(gram.data(), to_index(weights.size() / grid_.columns),
              to_index(weights.size() / grid_.columns)),
        errors_(gram_.rows(), to_index(grid_.columns)) {
    for (size_t i = 0; i < values_.size(); ++i) {
      errors_.data()[i] = weights_[i] - step(i) * static_cast<float>(values_[i]);
    }
  }

  void set_damping(float share) { damp_ = share * gram_.diagonal().mean(); }

  /// One round; returns how many weights moved.
  size_t go_round() {
    size_t moved = 0;
    for (Index first = 0; first < gram_.rows(); first += kBatch) {
      const Index count = std::min(kBatch, gram_.rows() - first);
      slopes_.noalias() = gram_.middleRows(first, count) * errors_;
      slopes_ += damp_ * errors_.middleRows(first, count);
      for (Index i = 0; i < count; ++i) {
        moved += move_row(first + i, i);
        for (Index j = i + 1; j < count; ++j) {
          slopes_.row(j) -= gram_(first + j, first + i) * moves_;
        }
      }
    }
    return moved;
  }

  std::vector<int8_t> take() { return std::move(values_); }

 private:
  using Row = Eigen::Matrix<float, 1, Eigen::Dynamic, Eigen::RowMajor>;

  size_t group(size_t at) const {
    return at / grid_.columns / grid_.rows_per_group * grid_.columns + at % grid_.columns;
  }
  float step(size_t at) const { return grid_.steps[group(at)]; }

  /// The integers below and above a weight, as far as grid and neighbour let it.
  std::pair<float, float> choices(size_t at) const {
    const size_t where = group(at);
    float low = grid_.low[where];
    float high = grid_.high[where];
    const size_t row = at / grid_.columns;
    const size_t neighbour = (row ^ 1) * grid_.columns + at % grid_.columns;
    if (!grid_.pair_limits.empty() && neighbour < values_.size()) {
      const float other = values_[neighbour];
      low = std::max(low, -grid_.pair_limits[where] - other);
      high = std::min(high, grid_.pair_limits[where] - other);
    }
    const float exact = weights_[at] / grid_.steps[where];
    return {std::clamp(std::floor(exact), low, high), std::clamp(std::ceil(exact), low, high)};
  }

  /// Moves the weights of a row to where the error is least, all others given. `slot` is where its
  /// slopes are.
  size_t move_row(Index row, Index slot) {
    const float curvature = gram_(row, row) + damp_;
    moves_ = Row::Zero(errors_.cols());
    size_t moved = 0;
    if (!(curvature > 0)) return 0;
    for (Index c = 0; c < errors_.cols(); ++c) {
      const size_t at = static_cast<size_t>(row) * grid_.columns + static_cast<size_t>(c);
      const float slope = slopes_(slot, c);
      const float now = values_[at];
      const auto [below, above] = choices(at);
      const float best =
          std::clamp(std::nearbyint(now + slope / (curvature * step(at))), below, above);
      const float move = (best - now) * step(at);
      // tr(E^T G E) changes by move^2 G_kk - 2 move (G E)_k.
      if (move == 0 ||
          move * (move * curvature - 2 * slope) >= -kWorthAMove * move * move * curvature) {
        continue;
      }
      values_[at] = static_cast<int8_t>(best);
      errors_(row, c) -= move;
      moves_[c] = move;
      ++moved;
    }
    return moved;
  }

  std::vector<int8_t> values_;
  Floats weights_;
  const RoundingGrid& grid_;
  Eigen::Map<const Matrix> gram_;
  Matrix errors_;
  Matrix slopes_;  ///< G E of a batch
  Row moves_;      ///< what a row's errors were lowered by
  float damp_ = 0;
};

}  // namespace

std::vector<int8_t> round_adaptively(const Rounding& start, Floats weights,
                                     std::span<const float> gram, const AdaRoundOptions& options) {
  Descent descent(start, weights, gram);
  descent.set_damping(options.damping);
  for (int round = 0; round < options.rounds && descent.go_round() > 0; ++round) {
  }
  return descent.take();
}

}  // namespace wattwise::quantize
