// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "wattwise/tensor.h"

namespace wattwise::quantize {

// What each of U errors alone does to the outputs of a model, from far fewer than U runs. Every run
// has all errors at once, each with a sign of its own, +1 or -1 at random. Errors of different
// origin are as good as orthogonal in outputs of many elements, so that the error of run r, e_r,
// obeys
//
//   <e_r, e_s> = sum over u of sign_ru sign_su |error_u|^2:
//
// R runs give R (R + 1) / 2 equations for the |error_u|^2, which are solved by least squares
// without negative ones.

/// 3 sqrt(U) runs, twice what the equations ask for, between 12 and 64.
size_t signed_runs(size_t unknowns);

/// [runs, unknowns] of +1 and -1, the same everywhere.
std::vector<float> make_signs(size_t runs, size_t unknowns);

/// The squared lengths of U vectors, from the products of R sums of them with the given signs:
/// `signs` is [R, U] of +1 and -1, `products` is [R, R]. Exact for orthogonal vectors if the
/// equations determine them. Nothing is negative.
std::vector<double> solve_signed_sums(const std::vector<float>& signs,
                                      const std::vector<double>& products, size_t runs);

/// noisy - clean. Zero where either is no number, and where the shapes differ.
std::vector<float> output_error(const Tensor& clean, const Tensor& noisy);

/// Products of the errors of one output, over all samples.
class OutputErrors {
 public:
  /// `errors` are those of each run, as long as `clean`.
  void add(std::span<const float> clean, const std::vector<std::vector<float>>& errors);

  /// [runs, runs], relative to the output's variance; one that never varies counts as it is.
  std::vector<double> relative_products() const;

 private:
  double power() const;

  std::vector<double> products_;
  double sum_ = 0;
  double squares_ = 0;
  double count_ = 0;
};

}  // namespace wattwise::quantize
