// SPDX-License-Identifier: Apache-2.0
#include "input/sound.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "core/memory_env.h"
#include "input/test_fixtures.h"

namespace wattwise::input {
namespace {

void append(std::string& bytes, uint32_t value, int count) {
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
}

/// A 16-bit PCM file; samples of all channels interleaved.
std::string wav(uint32_t rate, uint32_t channels, const std::vector<int16_t>& samples) {
  const auto bytes = static_cast<uint32_t>(samples.size() * 2);
  std::string file = "RIFF";
  append(file, 36 + bytes, 4);
  file += "WAVEfmt ";
  append(file, 16, 4);
  append(file, 1, 2);
  append(file, channels, 2);
  append(file, rate, 4);
  append(file, rate * channels * 2, 4);
  append(file, channels * 2, 2);
  append(file, 16, 2);
  file += "data";
  append(file, bytes, 4);
  for (const int16_t sample : samples) append(file, static_cast<uint16_t>(sample), 2);
  return file;
}

std::vector<int16_t> tone(double frequency_hz, int rate_hz, int count) {
  std::vector<int16_t> samples;
  for (int i = 0; i < count; ++i) {
    const double phase = 2 * std::numbers::pi * frequency_hz * i / rate_hz;
    samples.push_back(static_cast<int16_t>(std::lround(16384 * std::sin(phase))));
  }
  return samples;
}

TEST(ReadSoundTest, ScalesToOneAndKeepsTheRate) {
  MemoryEnv env;
  env.put_file("/a.wav", wav(8000, 1, {0, 16384, -32768, 32767}));
  const auto sound = read_sound(env, "/a.wav");
  ASSERT_TRUE(sound) << sound.error().to_string();
  EXPECT_EQ(sound->sampling_rate_hz, 8000);
  EXPECT_EQ(sound->samples.shape, (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(to_vector<float>(sound->samples), (std::vector<float>{0, 0.5F, -1, 32767 / 32768.0F}));
}

TEST(ReadSoundTest, TakesTheMeanOfTheChannels) {
  MemoryEnv env;
  env.put_file("/a.wav", wav(8000, 2, {16384, 0, -16384, -8192}));
  EXPECT_EQ(to_vector<float>(read_wav(env, "/a.wav", 0).value()),
            (std::vector<float>{0.25F, -0.375F}));
}

TEST(ReadSoundTest, DoesNotTrustTheLengthInTheHeader) {
  MemoryEnv env;
  std::string file = wav(8000, 1, {1, 2, 3, 4});
  file[41] = '\x7f';  // the data chunk now claims megabytes
  env.put_file("/a.wav", file);
  EXPECT_EQ(read_wav(env, "/a.wav", 0).value().element_count(), 4);
}

TEST(ReadSoundTest, RefusesOtherContent) {
  MemoryEnv env;
  for (const std::string content : {"", "RIFF", "RIFF0000WAVE", "not a sound at all"}) {
    env.put_file("/a.wav", content);
    const auto sound = read_sound(env, "/a.wav");
    EXPECT_CONTAINS(failure(sound, ErrorCode::kCorrupt), "/a.wav");
  }
}

TEST(ResampleTest, KeepsATone) {
  MemoryEnv env;
  env.put_file("/a.wav", wav(8000, 1, tone(440, 8000, 4000)));
  const Tensor doubled = read_wav(env, "/a.wav", 16000).value();
  ASSERT_NEAR(static_cast<double>(doubled.element_count()), 8000, 1);
  const auto expected = tone(440, 16000, 8000);
  const auto samples = doubled.values<float>();
  double worst = 0;
  for (size_t i = 500; i + 500 < samples.size(); ++i) {
    worst = std::max(worst, std::fabs(samples[i] - expected[i] / 32768.0));
  }
  EXPECT_LT(worst, 0.005);
}

TEST(ResampleTest, RemovesWhatTheLowerRateCannotCarry) {
  MemoryEnv env;
  env.put_file("/a.wav", wav(16000, 1, tone(7000, 16000, 8000)));
  const Tensor halved = read_wav(env, "/a.wav", 8000).value();
  double loudest = 0;
  const auto samples = halved.values<float>();
  for (size_t i = 200; i + 200 < samples.size(); ++i) {
    loudest = std::max(loudest, std::fabs(static_cast<double>(samples[i])));
  }
  EXPECT_LT(loudest, 0.005);
}

TEST(ResampleTest, RefusesRatesThatAreTooFarApart) {
  const std::vector<float> one = {0};
  const Sound sound{make_float_tensor({1, 1}, one), 8};
  EXPECT_CONTAINS(failure(resample_sound(sound, 48000), ErrorCode::kInvalidArgument), "too far");
}

TEST(ResampleTest, SilenceOfNoLengthStaysSo) {
  const Sound sound{make_float_tensor({1, 0}, {}), 8000};
  EXPECT_EQ(resample_sound(sound, 16000).value().samples.element_count(), 0);
}

}  // namespace
}  // namespace wattwise::input
