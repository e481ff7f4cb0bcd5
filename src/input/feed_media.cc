// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "input/feed.h"
#include "input/fit.h"
#include "input/ports.h"

namespace wattwise::input {
namespace {

bool is_channel_count(int64_t dim) { return dim == 1 || dim == 3 || dim == 4; }

/// Where the channels of a picture are.
enum class Channels { kNone, kFirst, kLast };

std::optional<Channels> find_channels(const std::vector<int64_t>& shape) {
  const size_t rank = shape.size();
  if (rank == 2) return Channels::kNone;
  if (rank < 3 || rank > 4) return std::nullopt;
  if (is_channel_count(shape[rank - 1])) return Channels::kLast;
  if (is_channel_count(shape[rank - 3])) return Channels::kFirst;
  return std::nullopt;
}

/// Bytes [C,H,W] as [H,W,C].
Tensor channels_last(const Tensor& frame) {
  const int64_t channels = frame.shape[0];
  const int64_t area = frame.shape[1] * frame.shape[2];
  const auto from = frame.values<uint8_t>();
  std::vector<uint8_t> to(from.size());
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t i = 0; i < area; ++i) {
      to[static_cast<size_t>(i * channels + c)] = from[static_cast<size_t>(c * area + i)];
    }
  }
  return {DataType::kUint8,
          {frame.shape[1], frame.shape[2], channels},
          Bytes::copy_of(std::span<const uint8_t>(to)),
          {}};
}

/// Single pictures as [H,W,C].
std::vector<Tensor> split_frames(const Tensor& pictures) {
  const Channels channels = *find_channels(pictures.shape);
  Tensor batch = pictures;
  if (channels == Channels::kNone) batch.shape.push_back(1);
  if (batch.shape.size() == 3) batch.shape.insert(batch.shape.begin(), 1);
  const std::vector<int64_t> frame_shape(batch.shape.begin() + 1, batch.shape.end());
  const auto bytes = batch.data.size() / static_cast<size_t>(std::max<int64_t>(1, batch.shape[0]));
  std::vector<Tensor> frames;
  for (int64_t i = 0; i < batch.shape[0]; ++i) {
    const Bytes part = batch.data.slice(static_cast<size_t>(i) * bytes, bytes);
    const Tensor frame{DataType::kUint8, frame_shape, part, {}};
    frames.push_back(channels == Channels::kFirst ? channels_last(frame) : frame);
  }
  return frames;
}

Error no_preprocessor(const FeedContext& context, const PortInfo& port, const Tensor& picture) {
  return {
      ErrorCode::kNotFound,
      fmt::format("cannot turn a picture {} into {} {}: there is no preprocessor_config.json in "
                  "{} that says how (size, rescale_factor, image_mean, image_std); put it "
                  "there, or pass an array of that type and shape",
                  describe_tensor(picture), port.name, describe_type(port),
                  context.preprocessor.folder)};
}

/// Leaves pixels as they are, for ports that take bytes.
ImageTransform without_arithmetic(ImageTransform transform) {
  transform.rescale = false;
  transform.normalize = false;
  return transform;
}

ImageSize size_of(const Tensor& frame) { return {frame.shape[0], frame.shape[1]}; }

/// How to bring the frames into the port, if that is known.
std::optional<ImageTransform> choose_transform(const FeedContext& context, const PortInfo& port,
                                               const Tensor& frame) {
  const bool takes_bytes = port.type == DataType::kUint8;
  if (context.preprocessor.image) {
    return takes_bytes ? without_arithmetic(*context.preprocessor.image)
                       : *context.preprocessor.image;
  }
  ImageTransform untouched = without_arithmetic({});
  untouched.resize = false;
  const ImagePlan plan = plan_image(size_of(frame), untouched, *image_layout(port));
  if (takes_bytes && !plan.layout_overrides) return untouched;
  return std::nullopt;
}

Decision size_decision(const PortInfo& port, const Tensor& frame, const ImagePlan& plan) {
  return {"resize", port.name,
          fmt::format("the picture of {} x {} becomes {} x {}, the model's size, not what "
                      "preprocessor_config.json says",
                      frame.shape[1], frame.shape[0], plan.result.width, plan.result.height)};
}

/// To mean 0 and variance 1, as Wav2Vec2's feature extractor does.
std::vector<float> normalized(std::span<const float> samples) {
  const double count = static_cast<double>(std::max<size_t>(1, samples.size()));
  const double mean = std::accumulate(samples.begin(), samples.end(), 0.0) / count;
  double variance = 0;
  for (const float sample : samples) variance += (sample - mean) * (sample - mean) / count;
  const double scale = 1 / std::sqrt(variance + 1e-7);
  std::vector<float> result;
  for (const float sample : samples) {
    result.push_back(static_cast<float>((sample - mean) * scale));
  }
  return result;
}

Error wants_features(const FeedContext& context, const PortInfo& port) {
  return {ErrorCode::kUnsupported,
          fmt::format("the input {} takes {} spectral features per frame, which are not computed "
                      "here: compute them and pass {} as an array",
                      port.name, context.preprocessor.sound_feature_size, describe_type(port))};
}

/// [samples], [1, samples] or [1, 1, samples], as many dimensions as the port has.
std::vector<int64_t> sound_shape(const PortInfo& port, size_t count) {
  std::vector<int64_t> shape(std::max<size_t>(1, port.shape.size()), 1);
  shape.back() = static_cast<int64_t>(count);
  return shape;
}

Decision rate_decision(const FeedContext& context, const Sound& sound, const std::string& source) {
  const int from = sound.sampling_rate_hz;
  if (!context.preprocessor.sampling_rate_hz) {
    return {"keep_sampling_rate", source,
            fmt::format("it has {} Hz; no preprocessor_config.json in {} says what the model wants",
                        from, context.preprocessor.folder)};
  }
  return {
      "resample", source,
      fmt::format("from {} Hz to the model's {} Hz", from, *context.preprocessor.sampling_rate_hz)};
}

}  // namespace

bool is_picture(const Tensor& tensor) {
  if (tensor.type != DataType::kUint8 || !find_channels(tensor.shape)) return false;
  return std::all_of(tensor.shape.begin(), tensor.shape.end(), [](int64_t dim) { return dim > 0; });
}

Result<PreparedInputs> feed_picture(const FeedContext& context, const PortInfo& port,
                                    const Tensor& picture) {
  const auto layout = image_layout(port);
  if (!layout || !is_picture(picture)) return feed_array(port, picture);
  PreparedInputs prepared;
  std::vector<TensorMap> frames;
  for (const Tensor& frame : split_frames(picture)) {
    const auto transform = choose_transform(context, port, frame);
    if (!transform) return no_preprocessor(context, port, picture);
    const ImagePlan plan = plan_image(size_of(frame), *transform, *layout);
    if (plan.layout_overrides) prepared.decisions = {size_decision(port, frame, plan)};
    const Tensor pixels = WATTWISE_TRY(transform_image(frame, *transform, *layout));
    FittedTensor fitted = WATTWISE_TRY(fit_tensor(pixels, port));
    frames.push_back({{port.name, std::move(fitted.tensor)}});
  }
  prepared.tensors = WATTWISE_TRY(stack(frames));
  return prepared;
}

Result<PreparedInputs> feed_sound(const FeedContext& context, const PortInfo& port,
                                  const Sound& sound, const std::string& source) {
  if (context.preprocessor.sound_feature_size > 1) return wants_features(context, port);
  const int rate = context.preprocessor.sampling_rate_hz.value_or(sound.sampling_rate_hz);
  const Sound resampled = WATTWISE_TRY(resample_sound(sound, rate));
  auto samples = resampled.samples.values<float>();
  std::vector<float> scaled;
  if (context.preprocessor.normalize_sound) {
    scaled = normalized(samples);
    samples = scaled;
  }
  PreparedInputs prepared =
      WATTWISE_TRY(feed_array(port, make_float_tensor(sound_shape(port, samples.size()), samples)));
  const bool rate_is_known = context.preprocessor.sampling_rate_hz == sound.sampling_rate_hz;
  if (!rate_is_known) prepared.decisions.push_back(rate_decision(context, sound, source));
  return prepared;
}

Result<PreparedInputs> feed_array(const PortInfo& port, const Tensor& array) {
  FittedTensor fitted = WATTWISE_TRY(fit_tensor(array, port));
  PreparedInputs prepared;
  prepared.tensors[port.name] = std::move(fitted.tensor);
  prepared.decisions = std::move(fitted.decisions);
  return prepared;
}

}  // namespace wattwise::input
