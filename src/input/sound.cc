// SPDX-License-Identifier: Apache-2.0
#include "input/sound.h"

#include <fmt/format.h>
#include <samplerate.h>
#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

namespace wattwise::input {
namespace {

constexpr int64_t kChunkFrames = 4096;

/// A cursor over bytes in memory, as libsndfile wants it.
struct Cursor {
  std::span<const std::byte> bytes;
  sf_count_t position = 0;
};

sf_count_t length_of(void* user) {
  return static_cast<sf_count_t>(static_cast<Cursor*>(user)->bytes.size());
}

sf_count_t seek(sf_count_t offset, int whence, void* user) {
  auto& cursor = *static_cast<Cursor*>(user);
  const sf_count_t length = length_of(user);
  const sf_count_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? cursor.position : length;
  cursor.position = std::clamp<sf_count_t>(base + offset, 0, length);
  return cursor.position;
}

sf_count_t read(void* target, sf_count_t count, void* user) {
  auto& cursor = *static_cast<Cursor*>(user);
  count = std::clamp<sf_count_t>(count, 0, length_of(user) - cursor.position);
  if (count > 0)
    std::memcpy(target, cursor.bytes.data() + cursor.position, static_cast<size_t>(count));
  cursor.position += count;
  return count;
}

sf_count_t tell(void* user) { return static_cast<Cursor*>(user)->position; }

struct FileCloser {
  void operator()(SNDFILE* file) const { sf_close(file); }
};

/// The mean of all channels, until the file ends; its header's length is not trusted.
std::vector<float> read_mono(SNDFILE* file, int channels) {
  std::vector<float> samples;
  std::vector<float> chunk(static_cast<size_t>(kChunkFrames * channels));
  while (true) {
    const sf_count_t frames = sf_readf_float(file, chunk.data(), kChunkFrames);
    if (frames <= 0) return samples;
    for (sf_count_t i = 0; i < frames; ++i) {
      double sum = 0;
      for (int c = 0; c < channels; ++c) sum += chunk[static_cast<size_t>(i * channels + c)];
      samples.push_back(static_cast<float>(sum / channels));
    }
  }
}

Tensor make_samples(std::span<const float> samples) {
  return make_float_tensor({1, static_cast<int64_t>(samples.size())}, samples);
}

}  // namespace

Result<Sound> read_sound(const Env& env, const std::string& path) {
  const Bytes bytes = WATTWISE_TRY(env.map_file(path));
  Cursor cursor{bytes.view(), 0};
  SF_VIRTUAL_IO io{length_of, seek, read, nullptr, tell};
  SF_INFO info{};
  const std::unique_ptr<SNDFILE, FileCloser> file(sf_open_virtual(&io, SFM_READ, &info, &cursor));
  if (!file || info.channels < 1 || info.samplerate < 1) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("cannot decode the sound {}: {}; pass a WAV, FLAC or OGG file", path,
                             sf_strerror(file.get())));
  }
  return Sound{make_samples(read_mono(file.get(), info.channels)), info.samplerate};
}

Result<Sound> resample_sound(const Sound& sound, int sampling_rate_hz) {
  if (sampling_rate_hz == sound.sampling_rate_hz) return sound;
  const double ratio = static_cast<double>(sampling_rate_hz) / sound.sampling_rate_hz;
  if (!src_is_valid_ratio(ratio)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("cannot resample from {} Hz to {} Hz: the rates are too far apart; "
                             "convert the sound first",
                             sound.sampling_rate_hz, sampling_rate_hz));
  }
  const auto from = sound.samples.values<float>();
  std::vector<float> to(static_cast<size_t>(std::ceil(static_cast<double>(from.size()) * ratio)) +
                        1);
  SRC_DATA data{};
  data.data_in = from.data();
  data.data_out = to.data();
  data.input_frames = static_cast<long>(from.size());
  data.output_frames = static_cast<long>(to.size());
  data.src_ratio = ratio;
  if (const int failure = from.empty() ? 0 : src_simple(&data, SRC_SINC_MEDIUM_QUALITY, 1)) {
    return Error(ErrorCode::kInternal, fmt::format("resampling to {} Hz failed: {}",
                                                   sampling_rate_hz, src_strerror(failure)));
  }
  to.resize(static_cast<size_t>(data.output_frames_gen));
  return Sound{make_samples(to), sampling_rate_hz};
}

Result<Tensor> read_wav(const Env& env, const std::string& path, int sampling_rate_hz) {
  Sound sound = WATTWISE_TRY(read_sound(env, path));
  if (sampling_rate_hz == 0) return sound.samples;
  return WATTWISE_TRY(resample_sound(sound, sampling_rate_hz)).samples;
}

}  // namespace wattwise::input
