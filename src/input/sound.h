// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/env.h"
#include "wattwise/tensor.h"

namespace wattwise::input {

/// Sound from a file: float [1, samples], mono (the mean of all channels), in [-1, 1].
struct Sound {
  Tensor samples;
  int sampling_rate_hz = 0;
};

/// Reads a sound file (WAV, FLAC, OGG) at its own rate. kCorrupt names the file.
Result<Sound> read_sound(const Env& env, const std::string& path);

/// The same samples at another rate, band-limited (libsamplerate, medium sinc). Rates may differ
/// by a factor of 256 at most; beyond that kInvalidArgument.
Result<Sound> resample_sound(const Sound& sound, int sampling_rate_hz);

/// read_sound(), resampled to `sampling_rate_hz` if that is nonzero.
Result<Tensor> read_wav(const Env& env, const std::string& path, int sampling_rate_hz);

}  // namespace wattwise::input
