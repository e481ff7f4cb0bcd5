// SPDX-License-Identifier: Apache-2.0
#include "deploy/calibration.h"

namespace wattwise::deploy {
namespace {

quantize::SampleReader read_samples(const Samples& samples) {
  return [&samples, next = size_t{0}]() mutable -> Result<std::optional<TensorMap>> {
    if (next == samples.inputs.size()) return std::optional<TensorMap>();
    return std::optional(samples.inputs[next++]);
  };
}

/// A pass that could not be started tells so when its first sample is asked for.
quantize::SampleReader read_data(const SampleReader& data) {
  auto stream = data.start();
  if (!stream) {
    return
        [error = std::move(stream).error()]() -> Result<std::optional<TensorMap>> { return error; };
  }
  return [next = std::move(*stream)]() -> Result<std::optional<TensorMap>> {
    auto sample = WATTWISE_TRY(next());
    if (!sample) return std::optional<TensorMap>();
    return std::optional(std::move(sample->tensors));
  };
}

}  // namespace

Result<std::optional<quantize::CalibrationData>> make_calibration(Context& context,
                                                                  const Source& source,
                                                                  const PrepareOptions& options) {
  std::function<quantize::SampleReader()> open;
  if (source.calibration) {
    open = [&source] { return read_data(*source.calibration); };
  } else if (!options.samples.empty()) {
    open = [&source] { return read_samples(source.samples); };
  } else {
    return std::optional<quantize::CalibrationData>();
  }
  auto runtime = WATTWISE_TRY(context.runtime());
  return std::optional(
      quantize::CalibrationData{std::move(runtime), context.env(), std::move(open),
                                context.resolved().config.quantization.calibration_method});
}

Result<quantize::CalibrationData> make_probes(Context& context, const Samples& samples) {
  auto runtime = WATTWISE_TRY(context.runtime());
  return quantize::CalibrationData{std::move(runtime), context.env(),
                                   [&samples] { return read_samples(samples); }};
}

}  // namespace wattwise::deploy
