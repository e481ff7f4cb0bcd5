// SPDX-License-Identifier: Apache-2.0
#include "deploy/sample_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/temporary_folder.h"
#include "deploy/samples.h"
#include "input/array_file.h"
#include "input/dataset.h"

namespace wattwise::deploy {
namespace {

constexpr uint64_t kMaxSpreadBytes = 64'000'000;

Result<PreparedSample> prepare_sample(const Env& env, const SampleFormat& format,
                                      const Sample& sample, const std::string& name) {
  std::vector<Decision> ignored;  // conversions of samples do not concern the result
  auto tensors = to_tensors(env, format.ports, format.preprocessor, sample.inputs, ignored);
  if (!tensors) return std::move(tensors).error().with_context("preparing " + name);
  return PreparedSample{std::move(*tensors), sample.labels};
}

uint64_t bytes_of(const PreparedSample& sample) {
  uint64_t bytes = 0;
  for (const auto& [name, tensor] : sample.tensors) bytes += tensor.data.size();
  return bytes;
}

size_t affordable(size_t limit, const PreparedSample& sample) {
  const uint64_t each = std::max<uint64_t>(1, bytes_of(sample));
  return std::clamp<size_t>(static_cast<size_t>(kMaxSpreadBytes / each), 1, limit);
}

Error no_samples() {
  return {ErrorCode::kInvalidArgument, "there are no samples: the data from the caller is empty"};
}

/// A pass over something that can be read at any position.
PreparedStream stream_of(std::function<Result<PreparedSample>(size_t)> read, size_t count,
                         const quantize::SampleGrid& grid) {
  return [read = std::move(read), count, grid,
          next = size_t{0}]() mutable -> Result<std::optional<PreparedSample>> {
    while (next < count && !grid.holds(next)) ++next;
    if (next == count) return std::optional<PreparedSample>();
    return std::optional(WATTWISE_TRY(read(next++)));
  };
}

std::string kept_file(const TemporaryFolder& folder, size_t index) {
  return join_path(folder.path(), fmt::format("{}.npz", index));
}

}  // namespace

Result<SampleReader> SampleReader::open_path(Env& env, SampleFormat format,
                                             const std::string& path) {
  auto data = WATTWISE_TRY(input::Dataset::open(env, path, format.ports));
  const size_t count = data.size();
  const auto read = [&env, format = std::move(format),
                     data = std::move(data)](size_t index) -> Result<PreparedSample> {
    auto raw = WATTWISE_TRY(data.read(index));
    const Sample sample{{std::move(raw.inputs.values), {}}, std::move(raw.labels)};
    return prepare_sample(env, format, sample, raw.name);
  };
  SampleReader reader(path,
                      [read, count](const auto& grid) { return stream_of(read, count, grid); });
  reader.count_ = count;
  reader.read_ = read;
  return reader;
}

SampleReader SampleReader::open_callback(Env& env, SampleFormat format, const SampleData& data) {
  const auto start = [&env, format = std::move(format),
                      data](const quantize::SampleGrid& grid) -> Result<PreparedStream> {
    SampleStream stream = WATTWISE_TRY(data.start());
    return PreparedStream([&env, format, stream = std::move(stream), grid,
                           next = size_t{0}]() mutable -> Result<std::optional<PreparedSample>> {
      for (;;) {
        const auto sample = WATTWISE_TRY(stream());
        if (!sample) return std::optional<PreparedSample>();
        if (!grid.holds(next++)) continue;
        const std::string name = fmt::format("sample {} from the caller", next);
        return std::optional(WATTWISE_TRY(prepare_sample(env, format, *sample, name)));
      }
    });
  };
  return {"the caller", start};
}

Result<SampleReader> SampleReader::keep(Env& env) const {
  // Shared by all who may still read from it.
  const std::shared_ptr<TemporaryFolder> folder = WATTWISE_TRY(TemporaryFolder::create(env));
  std::vector<std::vector<double>> labels;
  const PreparedStream next = WATTWISE_TRY(start());
  for (auto sample = WATTWISE_TRY(next()); sample; sample = WATTWISE_TRY(next())) {
    auto written = input::write_npz(env, kept_file(*folder, labels.size()), sample->tensors);
    if (!written) {
      return std::move(written).error().with_context(
          "keeping samples that can be read only once (pass a list, or what starts anew whenever "
          "it is iterated over)");
    }
    labels.push_back(std::move(sample->labels));
  }
  const size_t count = labels.size();
  const auto read = [&env, folder,
                     labels = std::move(labels)](size_t index) -> Result<PreparedSample> {
    return PreparedSample{WATTWISE_TRY(input::read_npz(env, kept_file(*folder, index))),
                          labels[index]};
  };
  SampleReader kept(source_,
                    [read, count](const auto& grid) { return stream_of(read, count, grid); });
  kept.count_ = count;
  kept.read_ = read;
  return kept;
}

Result<SampleReader> SampleReader::open(Env& env, SampleFormat format, const SampleData& data) {
  if (!data.start) return open_path(env, std::move(format), data.path);
  SampleReader reader = open_callback(env, std::move(format), data);
  if (data.once) reader = WATTWISE_TRY(reader.keep(env));
  if (reader.read_ && reader.count_ == 0) return no_samples();
  return reader;
}

namespace {

Result<SpreadSamples> spread_positions(const std::function<Result<PreparedSample>(size_t)>& read,
                                       size_t count, size_t limit) {
  SpreadSamples spread{{WATTWISE_TRY(read(0))}, count};
  limit = std::min(affordable(limit, spread.samples.front()), count);
  for (size_t i = 1; i < limit; ++i) {
    spread.samples.push_back(WATTWISE_TRY(read(i * count / limit)));
  }
  return spread;
}

/// Without knowing how many come: keeps every n-th, and doubles n whenever there are too many.
Result<SpreadSamples> spread_stream(const PreparedStream& next, size_t limit) {
  SpreadSamples spread;
  std::vector<PreparedSample>& kept = spread.samples;
  size_t stride = 1;
  for (auto sample = WATTWISE_TRY(next()); sample; sample = WATTWISE_TRY(next())) {
    const size_t index = spread.total++;
    if (index == 0) limit = affordable(limit, *sample);
    if (index % stride != 0) continue;
    kept.push_back(std::move(*sample));
    if (kept.size() <= limit) continue;
    for (size_t i = 1; 2 * i < kept.size(); ++i) kept[i] = std::move(kept[2 * i]);
    kept.resize((kept.size() + 1) / 2);
    stride *= 2;
  }
  return spread;
}

}  // namespace

Result<SpreadSamples> SampleReader::spread(size_t limit) const {
  if (read_) return spread_positions(read_, count_, limit);
  const PreparedStream next = WATTWISE_TRY(start());
  auto spread = WATTWISE_TRY(spread_stream(next, limit));
  if (spread.total == 0) return no_samples();
  return spread;
}

}  // namespace wattwise::deploy
