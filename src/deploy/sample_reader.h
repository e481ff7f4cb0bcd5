// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/env.h"
#include "input/preprocessor.h"
#include "quantize/calibrate.h"
#include "wattwise/deployment.h"

namespace wattwise::deploy {

/// A sample as a model takes it, with what is right for it.
struct PreparedSample {
  TensorMap tensors;
  std::vector<double> labels;
};
/// Gives one sample after the other; absent at the end. Errors name the sample.
using PreparedStream = std::function<Result<std::optional<PreparedSample>>()>;

/// Some of `total` samples.
struct SpreadSamples {
  std::vector<PreparedSample> samples;
  size_t total = 0;
};

/// What a model takes, and what makes tensors of it.
struct SampleFormat {
  std::vector<PortInfo> ports;
  input::Preprocessor preprocessor;
};

/// The caller's samples as tensors, one at a time, as often as wanted. Memory does not depend on
/// their number. What can be read only once is kept in a temporary folder, which lives as long as
/// the last copy of the reader or of its streams. Thread rule: one stream, one thread.
class SampleReader {
 public:
  /// Looks at the path, or starts the caller's stream; `env` must outlive the reader.
  static Result<SampleReader> open(Env& env, SampleFormat format, const SampleData& data);

  /// Starts a pass over all samples, or over those of a grid.
  Result<PreparedStream> start(const quantize::SampleGrid& grid = {}) const { return start_(grid); }
  /// At most `limit` samples, evenly spread over all, the first among them; fewer where they are
  /// so large that they would take more than 64 MB.
  Result<SpreadSamples> spread(size_t limit) const;
  /// "data/faces", "the caller"
  const std::string& source() const { return source_; }

 private:
  using Start = std::function<Result<PreparedStream>(const quantize::SampleGrid&)>;

  SampleReader(std::string source, Start start)
      : source_(std::move(source)), start_(std::move(start)) {}
  static Result<SampleReader> open_path(Env& env, SampleFormat format, const std::string& path);
  static SampleReader open_callback(Env& env, SampleFormat format, const SampleData& data);
  Result<SampleReader> keep(Env& env) const;

  std::string source_;
  Start start_;
  std::function<Result<PreparedSample>(size_t)> read_;  ///< empty where only passes are possible
  size_t count_ = 0;                                    ///< of what `read_` reads
};

}  // namespace wattwise::deploy
