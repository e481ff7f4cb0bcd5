// SPDX-License-Identifier: Apache-2.0
#include "quantize/bias_correction.h"

#include <algorithm>

namespace wattwise::quantize {
namespace {

std::vector<float> to_floats(const std::vector<double>& values) {
  std::vector<float> out(values.size());
  std::transform(values.begin(), values.end(), out.begin(),
                 [](double value) { return static_cast<float>(value); });
  return out;
}

/// Where the taps of a convolution read along one axis: output i reads i x stride + tap x dilation
/// - before.
struct Window {
  int64_t outputs;
  int64_t stride;
  int64_t dilation;
  int64_t before;

  float share(int64_t tap, int64_t size) const {
    int64_t inside = 0;
    for (int64_t i = 0; i < outputs; ++i) {
      const int64_t at = i * stride + tap * dilation - before;
      inside += at >= 0 && at < size;
    }
    return static_cast<float>(inside) / static_cast<float>(std::max<int64_t>(outputs, 1));
  }
};

Window window_of(const model::Node& node, size_t axis, std::span<const int64_t> kernel,
                 std::span<const int64_t> sizes) {
  const auto number = [&](const char* name, size_t at, int64_t otherwise) {
    const auto numbers = node.ints_or_empty(name);
    return at < numbers.size() ? numbers[at] : otherwise;
  };
  Window window{0, number("strides", axis, 1), number("dilations", axis, 1), 0};
  const int64_t reach = window.dilation * (kernel[axis] - 1) + 1;
  const std::string placing = node.string_or("auto_pad", "NOTSET");
  if (placing.starts_with("SAME")) {
    window.outputs = (sizes[axis] + window.stride - 1) / window.stride;
    const int64_t padding =
        std::max<int64_t>((window.outputs - 1) * window.stride + reach - sizes[axis], 0);
    window.before = placing == "SAME_LOWER" ? padding - padding / 2 : padding / 2;
    return window;
  }
  window.before = number("pads", axis, 0);
  const int64_t after = number("pads", axis + kernel.size(), 0);
  window.outputs = (sizes[axis] + window.before + after - reach) / window.stride + 1;
  return window;
}

}  // namespace

std::vector<float> bias_change(std::span<const float> means, Floats weights,
                               std::span<const int8_t> rounded, const RoundingGrid& grid) {
  std::vector<double> change(grid.columns);
  for (size_t row = 0; row < means.size(); ++row) {
    const float* steps = grid.steps.data() + row / grid.rows_per_group * grid.columns;
    const size_t first = row * grid.columns;
    for (size_t c = 0; c < grid.columns; ++c) {
      const float error = weights[first + c] - steps[c] * static_cast<float>(rounded[first + c]);
      change[c] += static_cast<double>(means[row]) * error;
    }
  }
  return to_floats(change);
}

std::vector<float> bias_change(const ConvolutionMeans& means, Floats weights,
                               const Int8Weights& rounded, const ConvolutionShape& shape) {
  const size_t groups = means.channels.size() / shape.inputs;
  const size_t outputs_of_group = shape.outputs / groups;
  std::vector<double> change(shape.outputs);
  size_t at = 0;
  for (size_t out = 0; out < shape.outputs; ++out) {
    const size_t first = out / outputs_of_group * shape.inputs;
    for (size_t in = 0; in < shape.inputs; ++in) {
      for (size_t tap = 0; tap < shape.taps; ++tap, ++at) {
        const float error =
            weights[at] - rounded.scales[out] * static_cast<float>(rounded.values[at]);
        change[out] +=
            static_cast<double>(means.channels[first + in] * means.tap_shares[tap]) * error;
      }
    }
  }
  return to_floats(change);
}

std::vector<float> tap_shares(const model::Node& node, std::span<const int64_t> kernel,
                              std::span<const int64_t> sizes) {
  std::vector<float> shares = {1};
  for (size_t axis = 0; axis < kernel.size(); ++axis) {
    const Window window = window_of(node, axis, kernel, sizes);
    std::vector<float> all;
    for (const float share : shares) {
      for (int64_t tap = 0; tap < kernel[axis]; ++tap) {
        all.push_back(share * window.share(tap, sizes[axis]));
      }
    }
    shares = std::move(all);
  }
  return shares;
}

std::vector<float> centred_gram(std::span<const float> gram, std::span<const float> means,
                                int64_t rows) {
  const size_t width = means.size();
  std::vector<float> centred(gram.begin(), gram.end());
  for (size_t i = 0; i < width; ++i) {
    const double scaled = static_cast<double>(rows) * means[i];
    for (size_t j = 0; j < width; ++j) {
      centred[i * width + j] =
          static_cast<float>(centred[i * width + j] - scaled * static_cast<double>(means[j]));
    }
    // What is constant leaves no more than rounding errors, of either sign.
    centred[i * width + i] = std::max(centred[i * width + i], 0.0F);
  }
  return centred;
}

}  // namespace wattwise::quantize
