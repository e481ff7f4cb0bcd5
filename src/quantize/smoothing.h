// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "quantize/floats.h"
#include "quantize/input_statistics.h"

namespace wattwise::quantize {

/// Divisors of the columns of X and factors of the rows of W that leave X W as it is, but make it
/// err less when X is rounded to 8 bits over its whole range and W to 8 bits per column
/// (SmoothQuant, Xiao and others, 2022): max|x_k|^strength / max|w_k|^(1 - strength).
struct Smoothing {
  float strength = 0;
  std::vector<float> divisors;  ///< empty where none errs less than doing nothing
  double noise = 0;             ///< squared error of the products that is to be expected
  double noise_without = 0;
};

/// The strength with the least error on these inputs. `weights` are all matrices that multiply X,
/// [width, any] each. Errors of single values are taken as independent, those of X as they are in
/// the excerpts of the statistics, those of W as GPTQ leaves them of even ones.
Smoothing choose_smoothing(const InputStatistics& statistics, const std::vector<Floats>& weights);

}  // namespace wattwise::quantize
