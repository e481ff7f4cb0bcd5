// SPDX-License-Identifier: Apache-2.0
#include "input/resample.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

namespace wattwise::input {
namespace {

constexpr double kPi = 3.14159265358979323846;

double triangle(double x) { return std::max(0.0, 1.0 - std::fabs(x)); }

/// Keys' cubic convolution with a = -1/2 (IEEE Trans. ASSP 29, 1981).
double cubic(double x) {
  x = std::fabs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}

double sinc(double x) { return x == 0 ? 1 : std::sin(kPi * x) / (kPi * x); }
double lanczos3(double x) { return std::fabs(x) < 3 ? sinc(x) * sinc(x / 3) : 0; }

struct Kernel {
  double (*weight)(double);
  double support;
};

/// In the order of Filter; nearest needs no kernel.
constexpr std::array<Kernel, 4> kKernels = {
    {{nullptr, 0}, {lanczos3, 3}, {triangle, 1}, {cubic, 2}}};

/// The inputs that make up one output position.
struct Window {
  int64_t first = 0;
  std::vector<float> weights;
};

Window make_window(const Kernel& kernel, double centre, double widening, int64_t length) {
  const double support = kernel.support * widening;
  const auto first = std::max<int64_t>(0, std::llround(centre - support));
  const auto end = std::min<int64_t>(length, std::llround(centre + support));
  std::vector<double> weights;
  double sum = 0;
  for (int64_t i = first; i < end; ++i) {
    weights.push_back(kernel.weight((static_cast<double>(i) - centre + 0.5) / widening));
    sum += weights.back();
  }
  Window window{first, {}};
  for (const double weight : weights) window.weights.push_back(static_cast<float>(weight / sum));
  return window;
}

/// The pixel under each output pixel's centre. Adding up, as PIL does, decides ties as PIL does.
std::vector<Window> nearest_windows(int64_t from, int64_t to, double scale) {
  std::vector<Window> windows;
  double centre = scale / 2;
  for (int64_t i = 0; i < to; ++i, centre += scale) {
    windows.push_back({std::min(static_cast<int64_t>(centre), from - 1), {1.0F}});
  }
  return windows;
}

std::vector<Window> make_windows(int64_t from, int64_t to, Filter filter) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  if (filter == Filter::kNearest) return nearest_windows(from, to, scale);
  const Kernel& kernel = kKernels[static_cast<size_t>(filter)];
  std::vector<Window> windows;
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    windows.push_back(make_window(kernel, centre, std::max(scale, 1.0), from));
  }
  return windows;
}

/// One axis of an image seen as [outer, length, inner].
struct Axis {
  int64_t outer;
  int64_t length;
  int64_t inner;
};

/// Whole numbers of 0..255.
void round_values(std::span<float> values) {
  for (float& value : values) {
    value = std::round(std::clamp(value, 0.0F, 255.0F));
  }
}

/// One row of outputs from the rows that the window covers.
void mix(const Window& window, const float* rows, std::span<float> sums) {
  const float* row = rows + static_cast<size_t>(window.first) * sums.size();
  for (const float weight : window.weights) {
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += weight * row[i];
    row += sums.size();
  }
}

std::vector<float> resample_axis(const std::vector<float>& from, Axis axis,
                                 const std::vector<Window>& windows, bool rounds) {
  const auto inner = static_cast<size_t>(axis.inner);
  std::vector<float> to(static_cast<size_t>(axis.outer) * inner * windows.size());
  const std::span<float> all(to);
  size_t at = 0;
  for (int64_t o = 0; o < axis.outer; ++o) {
    const float* rows = from.data() + o * axis.length * axis.inner;
    for (const Window& window : windows) {
      mix(window, rows, all.subspan(at, inner));
      at += inner;
    }
  }
  if (rounds) round_values(all);
  return to;
}

}  // namespace

Pixels resample(Pixels image, ImageSize size, Filter filter) {
  if (size.width != image.size.width) {
    const auto windows = make_windows(image.size.width, size.width, filter);
    const Axis axis{image.size.height, image.size.width, image.channels};
    image.values = resample_axis(image.values, axis, windows, image.rounds);
  }
  if (size.height != image.size.height) {
    const auto windows = make_windows(image.size.height, size.height, filter);
    const Axis axis{1, image.size.height, size.width * image.channels};
    image.values = resample_axis(image.values, axis, windows, image.rounds);
  }
  image.size = size;
  return image;
}

}  // namespace wattwise::input
