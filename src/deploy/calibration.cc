// SPDX-License-Identifier: Apache-2.0
#include "deploy/calibration.h"

namespace wattwise::deploy {
namespace {

/// Samples that are in memory.
quantize::CalibrationData calibrate_on(std::shared_ptr<engine::Runtime> runtime, Env& env,
                                       const std::vector<TensorMap>& samples) {
  const auto open = [&samples]() -> quantize::SampleReader {
    return [&samples, next = size_t{0}]() mutable -> Result<std::optional<TensorMap>> {
      if (next == samples.size()) return std::optional<TensorMap>();
      return std::optional(samples[next++]);
    };
  };
  return {std::move(runtime), env, quantize::skip_samples(open), {}, samples.size()};
}

/// A pass that could not be started tells so when its first sample is asked for.
quantize::SampleReader read_data(const SampleReader& data, const quantize::SampleGrid& grid) {
  auto stream = data.start(grid);
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
  if (!source.calibration && options.samples.empty()) {
    return std::optional<quantize::CalibrationData>();
  }
  auto runtime = WATTWISE_TRY(context.runtime());
  auto data = calibrate_on(std::move(runtime), context.env(), source.samples.inputs);
  if (source.calibration) {
    data.open = [&source](const auto& grid) { return read_data(*source.calibration, grid); };
    data.count = source.samples.total;
  }
  data.range_method = context.resolved().config.quantization.calibration_method;
  return std::optional(std::move(data));
}

Result<quantize::CalibrationData> make_probes(Context& context, const Samples& samples) {
  auto runtime = WATTWISE_TRY(context.runtime());
  return calibrate_on(std::move(runtime), context.env(), samples.inputs);
}

}  // namespace wattwise::deploy
