// SPDX-License-Identifier: Apache-2.0
#include "quantize/gptq.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <numeric>

namespace wattwise::quantize {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixRow = Eigen::Array<float, 1, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixRowView = Eigen::Map<const MatrixRow>;
using Index = Eigen::Index;

/// Rows that are made up for at once, by one product, after the rows before them.
constexpr Index kGptqBatch = 64;

Index index_of(size_t value) { return static_cast<Index>(value); }

Matrix to_matrix(Floats weights, size_t columns) {
  Matrix matrix(index_of(weights.size() / columns), index_of(columns));
  std::copy(weights.begin(), weights.end(), matrix.data());
  return matrix;
}

/// Rounds half to even for |x| < 2^22: adding 1.5 x 2^23 leaves no bits for the fraction.
MatrixRow rounded(const MatrixRow& x) {
  constexpr float kNoFraction = 12582912;
  return (x + kNoFraction) - kNoFraction;
}

/// The grid of one row.
struct RowGrid {
  MatrixRowView steps, low, high;
  MatrixRowView pair_limit;  ///< empty where pairs are free
};

RowGrid row_grid(const RoundingGrid& grid, size_t row) {
  const Index columns = index_of(grid.columns);
  const size_t first = row / grid.rows_per_group * grid.columns;
  return {MatrixRowView(grid.steps.data() + first, columns),
          MatrixRowView(grid.low.data() + first, columns),
          MatrixRowView(grid.high.data() + first, columns),
          grid.pair_limits.empty() ? MatrixRowView(nullptr, 0)
                                   : MatrixRowView(grid.pair_limits.data() + first, columns)};
}

/// Integers of a row that no pair limits.
MatrixRow round_row(const MatrixRow& row, const RowGrid& grid) {
  return rounded(row / grid.steps).max(grid.low).min(grid.high);
}

/// The first of a pair gives up half of what the two are above the limit.
MatrixRow round_first(const MatrixRow& first, const MatrixRow& second, const RowGrid& grid) {
  const MatrixRow a = round_row(first, grid);
  const MatrixRow b = round_row(second, grid);
  // Only neighbours of equal sign add up to more than the limit.
  const MatrixRow excess = ((a + b).abs() - grid.pair_limit).max(0.0F);
  const MatrixRow half = (excess * 0.5F).floor();
  return (a > 0).select(a - half, a + half);
}

/// The second takes what the first has left.
MatrixRow round_second(const MatrixRow& second, const MatrixRow& first, const RowGrid& grid) {
  const MatrixRow low = grid.low.max(-grid.pair_limit - first);
  const MatrixRow high = grid.high.min(grid.pair_limit - first);
  return rounded(second / grid.steps).max(low).min(high);
}

/// Integers of the matrix's row `row`, whose weights are the first of `weights`, followed by those
/// that are rounded next, after the integers of the row before it.
MatrixRow round_first_of(const Eigen::Ref<const Matrix>& weights, size_t row,
                         const MatrixRow& before, const RoundingGrid& grid) {
  const RowGrid limits = row_grid(grid, row);
  if (grid.pair_limits.empty()) return round_row(weights.row(0), limits);
  if (row % 2 == 1) return round_second(weights.row(0), before, limits);
  if (weights.rows() == 1) return round_row(weights.row(0), limits);
  return round_first(weights.row(0), weights.row(1), limits);
}

void store(const MatrixRow& integers, int8_t* values) {
  for (Index i = 0; i < integers.size(); ++i) values[i] = static_cast<int8_t>(integers[i]);
}

using Gram = Eigen::Map<const Matrix>;

/// Rows in the order in which they are rounded.
std::vector<size_t> rounding_order(const Gram& gram, bool by_activation, bool in_pairs) {
  const auto rows = static_cast<size_t>(gram.rows());
  std::vector<size_t> order(rows);
  std::iota(order.begin(), order.end(), size_t{0});
  if (!by_activation) return order;
  const size_t together = in_pairs ? 2 : 1;
  std::vector<float> importance(rows, 0);
  for (size_t row = 0; row < rows; ++row) {
    // An odd one out at the end has no second and stays last, so that pairs stay aligned.
    const size_t first = row - row % together;
    if (first + together <= rows) importance[first] += gram(index_of(row), index_of(row));
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return importance[a - a % together] > importance[b - b % together];
  });
  return order;
}

/// Row j, column i < j: the share of the error of the i-th rounded row that the j-th makes up
/// for. Precondition of the factorization, positive eigenvalues, holds by damping.
Matrix shares(const Gram& gram, const std::vector<size_t>& order, float damping) {
  const Index size = gram.rows();
  const float mean = gram.diagonal().mean();
  Eigen::LLT<Matrix> factor;
  for (float damp = damping;; damp *= 10) {
    Matrix reversed(size, size);
    for (Index i = 0; i < size; ++i) {
      const float* row = gram.row(index_of(order[static_cast<size_t>(size - 1 - i)])).data();
      for (Index j = 0; j < size; ++j) {
        reversed(i, j) = row[order[static_cast<size_t>(size - 1 - j)]];
      }
    }
    reversed.diagonal().array() += mean > 0 ? damp * mean : 1;
    factor.compute(reversed);
    // Rounding can leave a matrix of low rank without a factor; far enough from it there is one.
    if (factor.info() == Eigen::Success || damp > 10) break;
  }
  const Matrix& lower = factor.matrixLLT();
  Matrix out = Matrix::Zero(size, size);
  for (Index j = 0; j < size; ++j) {
    const Index diagonal = size - 1 - j;
    const float inverse = 1 / lower(diagonal, diagonal);
    for (Index i = 0; i < j; ++i) out(j, i) = lower(size - 1 - i, diagonal) * inverse;
  }
  return out;
}

}  // namespace

std::vector<int8_t> round_gptq(Floats weights, std::span<const float> gram,
                               const RoundingGrid& grid, const GptqOptions& options) {
  const Matrix given = to_matrix(weights, grid.columns);
  const Index rows = given.rows();
  const Gram inputs(gram.data(), rows, rows);
  const std::vector<size_t> order =
      rounding_order(inputs, options.by_activation, !grid.pair_limits.empty());
  const Matrix share = shares(inputs, order, options.damping);
  Matrix errors(rows, given.cols());
  std::vector<int8_t> values(weights.size());
  MatrixRow before = MatrixRow::Zero(given.cols());
  Matrix batch;
  for (Index start = 0; start < rows; start += kGptqBatch) {
    const Index count = std::min(kGptqBatch, rows - start);
    batch.noalias() = share.block(start, 0, count, start) * errors.topRows(start);
    for (Index i = 0; i < count; ++i) batch.row(i) += given.row(index_of(order[start + i]));
    for (Index i = 0; i < count; ++i) {
      const size_t row = order[static_cast<size_t>(start + i)];
      before = round_first_of(batch.bottomRows(count - i), row, before, grid);
      store(before, values.data() + row * grid.columns);
      const RowGrid limits = row_grid(grid, row);
      errors.row(start + i) = given.row(index_of(row)).array() - before * limits.steps;
      for (Index j = i + 1; j < count; ++j) {
        batch.row(j) += share(start + j, start + i) * errors.row(start + i);
      }
    }
  }
  return values;
}

std::vector<int8_t> round_to_nearest(Floats weights, const RoundingGrid& grid) {
  const size_t rows = weights.size() / grid.columns;
  std::vector<int8_t> values(weights.size());
  MatrixRow before = MatrixRow::Zero(index_of(grid.columns));
  for (size_t row = 0; row < rows; ++row) {
    const size_t first = row * grid.columns;
    weights.passed(first);
    // A row looks at its neighbour at most; a copy of all would double a large matrix.
    const size_t count = std::min<size_t>(2, rows - row) * grid.columns;
    const Matrix given = to_matrix(weights.subspan(first, count), grid.columns);
    before = round_first_of(given, row, before, grid);
    store(before, values.data() + first);
  }
  return values;
}

ProductError product_error(std::span<const float> inputs, Floats weights,
                           const Rounding& rounding) {
  const auto& [rounded, grid, bias_change] = rounding;
  const Matrix given = to_matrix(weights, grid.columns);
  Matrix errors = given;
  for (Index row = 0; row < given.rows(); ++row) {
    const RowGrid limits = row_grid(grid, static_cast<size_t>(row));
    const int8_t* integers = rounded.data() + static_cast<size_t>(row) * grid.columns;
    for (Index i = 0; i < given.cols(); ++i) {
      errors(row, i) -= limits.steps[i] * static_cast<float>(integers[i]);
    }
  }
  const Gram x(inputs.data(), index_of(inputs.size()) / given.rows(), given.rows());
  const Matrix signal = x * given;
  Matrix noise = x * errors;
  if (!bias_change.empty()) {
    noise.rowwise() -= Eigen::Map<const MatrixRow>(bias_change.data(), given.cols()).matrix();
  }
  return {signal.cast<double>().squaredNorm(), noise.cast<double>().squaredNorm()};
}

}  // namespace wattwise::quantize
