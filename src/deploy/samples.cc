// SPDX-License-Identifier: Apache-2.0
#include "deploy/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <set>

#include "input/prepare_inputs.h"
#include "measure/metrics.h"
#include "model/inspect.h"
#include "model/integer_inputs.h"

namespace wattwise::deploy {
namespace {

/// Everyday sentences of different lengths: enough for a comparison, too few to tune anything by.
constexpr std::array<std::string_view, 4> kSentences = {
    "The battery lasts longer when the processor may rest.",
    "How much energy does one answer cost?",
    "A small model that is awake only when it is needed can run for years on a coin cell.",
    "Measured, estimated, or not available."};

/// Sizes to try for free spatial, temporal and token axes, by rank; the first that runs wins.
/// Audio models accept only certain frame lengths, hence the powers of two with and without
/// context.
constexpr std::array<int64_t, 4> kTokenLengths = {32, 16, 128, 1};
constexpr std::array<int64_t, 6> kWaveLengths = {512, 576, 256, 288, 16000, 1};
constexpr std::array<int64_t, 4> kImageSizes = {224, 320, 64, 512};
constexpr size_t kTrials = 6;

int64_t free_size(const PortInfo& port, size_t axis, size_t trial) {
  const size_t rank = port.shape.size();
  // [layers, batch, hidden]: a recurrent state with only its batch free.
  if (rank == 3 && axis == 1 && port.shape[0] > 0 && port.shape[2] > 0) return 1;
  if (rank >= 4) return kImageSizes[trial % kImageSizes.size()];
  const bool tokens = port.type == DataType::kInt64 || port.type == DataType::kInt32;
  if (tokens || rank == 3) return kTokenLengths[trial % kTokenLengths.size()];
  return kWaveLengths[trial % kWaveLengths.size()];
}

/// Whether an input says how much of another is filled.
bool tells_a_length(const PortInfo& port) {
  const bool integers = port.type == DataType::kInt64 || port.type == DataType::kInt32;
  return integers && port.shape.size() <= 1 && port.name.find("length") != std::string::npos;
}

/// Names of free dimensions that some port has on axis 0: the batch, wherever else it appears.
std::set<std::string> batch_names(const std::vector<PortInfo>& ports) {
  std::set<std::string> names;
  for (const PortInfo& port : ports) {
    if (!port.shape.empty() && port.shape[0] < 0 && !port.dim_names[0].empty()) {
      names.insert(port.dim_names[0]);
    }
  }
  return names;
}

Result<std::vector<TensorMap>> run_all(const SampleSource& source,
                                       const std::vector<TensorMap>& inputs) {
  std::vector<TensorMap> fed = inputs;
  for (TensorMap& sample : fed) sample.insert(source.fixed.begin(), source.fixed.end());
  std::vector<TensorMap> outputs = WATTWISE_TRY(source.session.run_all(fed));
  if (!std::any_of(outputs.begin(), outputs.end(), measure::has_finite_value)) {
    return Error(ErrorCode::kInvalidArgument,
                 "the float model answers with NaN or infinity only, so that nothing can be held "
                 "against it; pass samples that it answers with numbers");
  }
  return outputs;
}

bool has_nan(const TensorMap& outputs) { return !measure::outputs_with_nan(outputs).empty(); }

bool has_elements(const TensorMap& outputs) {
  return std::any_of(outputs.begin(), outputs.end(),
                     [](const auto& output) { return output.second.element_count() > 0; });
}

/// Drops the samples that the float model answers with NaN, which the source tells: nothing can be
/// held against them.
Result<void> drop_unanswered(Samples& samples) {
  std::vector<TensorMap> answers = std::move(samples.outputs);
  samples.outputs.clear();
  if (std::none_of(answers.begin(), answers.end(), has_elements)) {
    return Error(ErrorCode::kInvalidArgument,
                 "the samples make outputs without elements, so that nothing can be held against "
                 "the float model; pass samples that it answers with numbers");
  }
  const bool all_hold_nan = std::all_of(answers.begin(), answers.end(), has_nan);
  std::vector<TensorMap> kept;
  for (size_t i = 0; i < answers.size(); ++i) {
    if (has_nan(answers[i]) && !all_hold_nan) continue;
    kept.push_back(std::move(samples.inputs[i]));
    samples.outputs.push_back(std::move(answers[i]));
  }
  if (const size_t left_out = answers.size() - kept.size(); left_out > 0) {
    samples.source += fmt::format(", {} left out that the model answers with NaN", left_out);
  }
  samples.inputs = std::move(kept);
  return {};
}

/// Runs the model on what a caller gave.
Result<void> answer_given(const SampleSource& source, Samples& samples) {
  samples.outputs = WATTWISE_TRY(run_all(source, samples.inputs));
  return drop_unanswered(samples);
}

Result<Samples> random_samples(const SampleSource& source) {
  const std::vector<PortInfo> ports = sample_ports(source.model, source.session);
  std::optional<Error> first_failure;
  for (const engine::InputGuess& guess : plausible_inputs(source.model)) {
    Samples samples{{}, {}, "random inputs"};
    for (const uint64_t seed : {1, 2}) {
      samples.inputs.push_back(WATTWISE_TRY(engine::make_random_inputs(ports, guess, seed)));
    }
    auto outputs = run_all(source, samples.inputs);
    if (outputs) {
      samples.outputs = std::move(*outputs);
      return samples;
    }
    if (!first_failure) first_failure = std::move(outputs).error();
  }
  return std::move(*first_failure)
      .with_context("no plausible input size could be run; pass samples of real inputs");
}

}  // namespace

std::vector<PortInfo> sample_ports(const model::Model& model, const engine::Session& session) {
  const std::vector<PortInfo> left = model::input_ports(model);
  std::vector<PortInfo> ports;
  for (const PortInfo& port : session.inputs()) {
    const auto same = [&](const PortInfo& other) { return other.name == port.name; };
    const auto it = std::find_if(left.begin(), left.end(), same);
    if (it != left.end()) ports.push_back(*it);
  }
  return ports;
}

std::vector<engine::InputGuess> plausible_inputs(const model::Model& model) {
  const std::vector<PortInfo> ports = model::input_ports(model);
  const auto scalars = model::scalar_choices(model);
  const auto limits = model::index_limits(model);
  const std::set<std::string> batch = batch_names(ports);
  std::vector<engine::InputGuess> trials;
  for (size_t trial = 0; trial < kTrials; ++trial) {
    std::map<std::string, int64_t> sizes;
    for (const PortInfo& port : ports) {
      for (size_t axis = 0; axis < port.shape.size(); ++axis) {
        if (port.shape[axis] >= 0) continue;
        const std::string& name = port.dim_names[axis];
        // Exporters have been seen to give all axes of an input the batch's name.
        const bool is_batch = axis == 0 || (batch.contains(name) && name != port.dim_names[0]);
        sizes[fmt::format("{}:{}", port.name, axis)] = is_batch ? 1 : free_size(port, axis, trial);
      }
    }
    if (trials.empty() || trials.back().dimensions != sizes) {
      trials.push_back({std::move(sizes), scalars, limits});
      for (const PortInfo& port : ports) {
        if (!tells_a_length(port)) continue;
        trials.back().scalars.emplace(port.name, kTokenLengths[trial % kTokenLengths.size()]);
      }
    }
  }
  return trials;
}

Result<TensorMap> to_tensors(const Env& env, const std::vector<PortInfo>& ports,
                             const input::Preprocessor& preprocessor, const InferenceInputs& inputs,
                             std::vector<Decision>& decisions) {
  std::vector<input::RawInput> items;
  for (const InferenceInputs& item : inputs.batch) items.push_back({item.values});
  auto prepared =
      WATTWISE_TRY(items.empty() ? input::prepare_inputs(env, preprocessor, ports,
                                                         input::RawInput{inputs.values})
                                 : input::prepare_batch(env, preprocessor, ports, items));
  decisions.insert(decisions.end(), prepared.decisions.begin(), prepared.decisions.end());
  return std::move(prepared.tensors);
}

namespace {

Result<Samples> run_samples(const Env& env, const SampleSource& float_model,
                            const std::vector<InferenceInputs>& raw, std::string source) {
  Samples samples{{}, {}, std::move(source)};
  const std::vector<PortInfo> ports = sample_ports(float_model.model, float_model.session);
  std::vector<Decision> ignored;  // conversions of samples do not concern the result
  for (const InferenceInputs& sample : raw) {
    samples.inputs.push_back(
        WATTWISE_TRY(to_tensors(env, ports, float_model.preprocessor, sample, ignored)));
  }
  WATTWISE_TRY(answer_given(float_model, samples));
  return samples;
}

Result<Samples> built_in_samples(const Env& env, const SampleSource& float_model) {
  std::vector<InferenceInputs> raw;
  for (std::string_view text : kSentences) raw.push_back({{{"", std::string(text)}}, {}});
  return run_samples(env, float_model, raw, fmt::format("{} built-in sentences", raw.size()));
}

/// Accuracy is compared on real inputs, but not on all of them: the float model's answers are kept.
constexpr size_t kComparedSamples = 32;
/// So many of them do where their outputs have that many rows in all, each of which is an answer of
/// its own: boxes, steps in time, tokens. If one in a hundred is wrong, that is then known to less
/// than half a percent, and the samples are still spread over the data.
constexpr size_t kFewSamples = 12;
constexpr int64_t kEnoughRows = 512;

/// Size of the last axis that has more than one element.
int64_t row_width(const std::vector<int64_t>& shape) {
  const auto wide = std::find_if(shape.rbegin(), shape.rend(), [](int64_t dim) { return dim > 1; });
  return wide == shape.rend() ? 1 : *wide;
}

/// Rows of the output that has fewest, in answers without NaN.
int64_t count_rows(const std::vector<TensorMap>& answers) {
  std::map<std::string, int64_t> rows;
  for (const TensorMap& outputs : answers) {
    if (has_nan(outputs)) continue;
    for (const auto& [name, tensor] : outputs) {
      rows[name] += tensor.element_count() / row_width(tensor.shape);
    }
  }
  int64_t fewest = rows.empty() ? 0 : rows.begin()->second;
  for (const auto& [name, count] : rows) fewest = std::min(fewest, count);
  return fewest;
}

/// Of evenly spread samples a few, as evenly, then the others if these show too little. Where the
/// model is loaded block after block, all at once.
Result<void> answer_enough(const SampleSource& source, std::vector<TensorMap> inputs,
                           Samples& samples) {
  const bool few = inputs.size() == kComparedSamples && !source.session.block_count();
  const size_t count = few ? kFewSamples : inputs.size();
  std::vector<TensorMap> rest;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const size_t next = samples.inputs.size();
    const bool is_chosen = next < count && i == next * inputs.size() / count;
    (is_chosen ? samples.inputs : rest).push_back(std::move(inputs[i]));
  }
  samples.outputs = WATTWISE_TRY(run_all(source, samples.inputs));
  if (rest.empty() || count_rows(samples.outputs) >= kEnoughRows) return {};
  std::vector<TensorMap> answers = WATTWISE_TRY(run_all(source, rest));
  std::move(rest.begin(), rest.end(), std::back_inserter(samples.inputs));
  std::move(answers.begin(), answers.end(), std::back_inserter(samples.outputs));
  return {};
}

Result<Samples> spread_samples(const SampleSource& float_model) {
  auto spread = WATTWISE_TRY(float_model.reader->spread(kComparedSamples));
  std::vector<TensorMap> inputs;
  for (PreparedSample& sample : spread.samples) inputs.push_back(std::move(sample.tensors));
  Samples samples;
  WATTWISE_TRY(answer_enough(float_model, std::move(inputs), samples));
  samples.total = spread.total;
  samples.source = fmt::format("{} of {} samples from {}", samples.inputs.size(), spread.total,
                               float_model.reader->source());
  WATTWISE_TRY(drop_unanswered(samples));
  return samples;
}

}  // namespace

Result<Samples> make_samples(const Env& env, const SampleSource& float_model,
                             const PrepareOptions& options) {
  if (options.samples.empty() && float_model.reader) return spread_samples(float_model);
  if (options.samples.empty()) {
    if (!float_model.preprocessor.tokenizer) return random_samples(float_model);
    // A tokenizer may lie beside a model that takes no text.
    auto samples = built_in_samples(env, float_model);
    return samples ? std::move(samples) : random_samples(float_model);
  }
  const auto count = options.samples.size();
  return run_samples(env, float_model, options.samples,
                     options.sample_source.empty()
                         ? fmt::format("{} samples from the caller", count)
                         : options.sample_source);
}

}  // namespace wattwise::deploy
