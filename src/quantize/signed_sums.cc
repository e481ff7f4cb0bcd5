// SPDX-License-Identifier: Apache-2.0
#include "quantize/signed_sums.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <random>

namespace wattwise::quantize {
namespace {

constexpr size_t kFewestRuns = 12;
constexpr size_t kMostRuns = 64;
constexpr int kSweeps = 200;
/// Sign patterns that are drawn for an error, of which the one least like the others' is taken:
/// those that are equal or opposite could not be told apart.
constexpr int kDraws = 32;
/// Elements whose products are added up in single precision.
constexpr size_t kPartSize = 1024;

/// The largest product of a pattern of signs with one of the first `count` columns of [runs, any].
float likeness(const std::vector<float>& pattern, const std::vector<float>& signs, size_t count) {
  const size_t unknowns = signs.size() / pattern.size();
  float most = 0;
  for (size_t u = 0; u < count; ++u) {
    float product = 0;
    for (size_t r = 0; r < pattern.size(); ++r) product += pattern[r] * signs[r * unknowns + u];
    most = std::max(most, std::fabs(product));
  }
  return most;
}

}  // namespace

size_t signed_runs(size_t unknowns) {
  const double wanted = std::ceil(3 * std::sqrt(static_cast<double>(unknowns)));
  return std::clamp(static_cast<size_t>(wanted), kFewestRuns, kMostRuns);
}

std::vector<float> make_signs(size_t runs, size_t unknowns) {
  std::mt19937 random(1);
  std::vector<float> signs(runs * unknowns);
  for (size_t u = 0; u < unknowns; ++u) {
    std::vector<float> best;
    float least = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
      std::vector<float> pattern(runs);
      for (float& sign : pattern) sign = (random() & 1U) != 0 ? 1 : -1;
      const float like = likeness(pattern, signs, u);
      if (!best.empty() && like >= least) continue;
      best = std::move(pattern);
      least = like;
    }
    for (size_t r = 0; r < runs; ++r) signs[r * unknowns + u] = best[r];
  }
  return signs;
}

std::vector<double> solve_signed_sums(const std::vector<float>& signs,
                                      const std::vector<double>& products, size_t runs) {
  const size_t unknowns = runs == 0 ? 0 : signs.size() / runs;
  // The least squares of |products - S diag(x) S^T|: hessian = (S^T S)^2 by elements.
  std::vector<double> hessian(unknowns * unknowns);
  std::vector<double> target(unknowns);
  for (size_t u = 0; u < unknowns; ++u) {
    for (size_t v = 0; v < unknowns; ++v) {
      double dot = 0;
      for (size_t r = 0; r < runs; ++r) dot += signs[r * unknowns + u] * signs[r * unknowns + v];
      hessian[u * unknowns + v] = dot * dot;
    }
    for (size_t r = 0; r < runs; ++r) {
      for (size_t s = 0; s < runs; ++s) {
        target[u] += signs[r * unknowns + u] * signs[s * unknowns + u] * products[r * runs + s];
      }
    }
  }
  std::vector<double> lengths(unknowns, 0);
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (size_t u = 0; u < unknowns; ++u) {
      double slope = -target[u];
      for (size_t v = 0; v < unknowns; ++v) slope += hessian[u * unknowns + v] * lengths[v];
      lengths[u] = std::max(0.0, lengths[u] - slope / hessian[u * unknowns + u]);
    }
  }
  return lengths;
}

std::vector<float> output_error(const Tensor& clean, const Tensor& noisy) {
  const auto a = clean.values<float>();
  const auto b = noisy.values<float>();
  std::vector<float> out(a.size());
  if (a.size() != b.size()) return out;
  for (size_t i = 0; i < a.size(); ++i) {
    const float error = b[i] - a[i];
    out[i] = std::isfinite(error) ? error : 0;
  }
  return out;
}

void OutputErrors::add(std::span<const float> clean,
                       const std::vector<std::vector<float>>& errors) {
  const size_t runs = errors.size();
  products_.resize(runs * runs);
  for (size_t at = 0; at < clean.size(); at += kPartSize) {
    const size_t size = std::min(kPartSize, clean.size() - at);
    Eigen::MatrixXf part(static_cast<Eigen::Index>(size), static_cast<Eigen::Index>(runs));
    for (size_t r = 0; r < runs; ++r) {
      std::copy_n(errors[r].data() + at, size, part.col(static_cast<Eigen::Index>(r)).data());
    }
    const Eigen::MatrixXf product = part.transpose() * part;
    for (size_t i = 0; i < products_.size(); ++i) {
      products_[i] += product.data()[i];
    }
  }
  for (const double value : clean) {
    sum_ += value;
    squares_ += value * value;
  }
  count_ += static_cast<double>(clean.size());
}

double OutputErrors::power() const {
  const double variance = count_ > 0 ? squares_ - sum_ * sum_ / count_ : 0;
  return variance > 1e-9 * squares_ ? variance : squares_ > 0 ? squares_ : 1;
}

std::vector<double> OutputErrors::relative_products() const {
  std::vector<double> out = products_;
  for (double& product : out) product /= power();
  return out;
}

}  // namespace wattwise::quantize
