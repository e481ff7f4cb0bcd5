// SPDX-License-Identifier: Apache-2.0
#include "deploy/source.h"

#include <fmt/format.h>

#include <algorithm>

#include "deploy/execution.h"
#include "model/constant_store.h"
#include "model/graph_edit.h"
#include "model/inspect.h"
#include "model/load.h"
#include "model/probability_outputs.h"
#include "model/walk.h"
#include "optimize/fix_inputs.h"

namespace wattwise::deploy {
namespace {

/// Sizes of the free dimensions in the first sample, and its single integers.
engine::InputGuess inputs_of(const std::vector<PortInfo>& ports, const TensorMap& sample) {
  engine::InputGuess guess;
  for (const PortInfo& port : ports) {
    const auto it = sample.find(port.name);
    if (it == sample.end()) continue;
    const Tensor& tensor = it->second;
    for (size_t axis = 0; axis < port.shape.size(); ++axis) {
      if (port.shape[axis] >= 0) continue;
      guess.dimensions[fmt::format("{}:{}", port.name, axis)] = tensor.shape[axis];
    }
    if (tensor.element_count() != 1) continue;
    if (port.type == DataType::kInt64) guess.scalars[port.name] = tensor.values<int64_t>()[0];
    if (port.type == DataType::kInt32) guess.scalars[port.name] = tensor.values<int32_t>()[0];
  }
  return guess;
}

/// Fixes inputs in the model and returns their values, with which the model as read is still fed.
Result<TensorMap> fix(Source& source, const optimize::FixedInputs& fixed) {
  TensorMap tensors = WATTWISE_TRY(optimize::fixed_tensors(source.model, fixed));
  WATTWISE_TRY(optimize::fix_inputs(source.model, fixed));
  for (const auto& [name, text] : fixed) {
    source.decisions.push_back(
        {"fix_input", name,
         tensors.contains(name)
             ? fmt::format("{}, as asked for; the result has no such input", text)
             : fmt::format("{}, as asked for; the result takes no other size", text)});
  }
  return tensors;
}

/// Exporters list weights as inputs with defaults, which no runtime treats as constants and nobody
/// feeds.
void drop_defaults(const OptimizationConfig& config, Source& source) {
  if (config.keep_default_inputs || source.model.ir_version < model::kFirstIrWithConstants) return;
  const int64_t count = model::drop_default_inputs(source.model.graph);
  if (count == 0) return;
  source.decisions.push_back(
      {"fix_input", "inputs with defaults",
       fmt::format(
           "{} inputs have defaults -> these are constants of the result, which has no such "
           "inputs; optimization.keep_default_inputs keeps them",
           count)});
}

/// Size of the model on disk, its external data included.
int64_t stored_size(const model::Model& model, const Env& env, const std::string& path) {
  const auto info = env.stat(path);
  const uint64_t file = info ? info->size_bytes : 0;
  return static_cast<int64_t>(std::max(file, model::weight_bytes(model)));
}

/// The task metric of the float model, where one is asked for.
Result<void> evaluate_float(Context& context, const Evaluation& evaluation, const Subject& subject,
                            Source& source) {
  if (!evaluation.is_given()) return {};
  const SampleReader* calibration = source.calibration ? &*source.calibration : nullptr;
  source.evaluator = WATTWISE_TRY(Evaluator::open(
      context.env(), {sample_ports(source.model, subject.session), source.preprocessor}, evaluation,
      calibration));
  return source.evaluator->set_reference(subject, context.progress());
}

/// Decides how the model is run, and with that whether it can be timed.
void choose_execution(Context& context, bool measure, const std::string& folder, Source& source) {
  const auto why = too_large_to_run(context, model::weight_bytes(source.model));
  source.measure = measure && !why;
  if (!why) return;
  source.in_blocks = true;
  source.decisions.push_back({"run_in_blocks", "model", *why});
  if (measure) {
    source.decisions.push_back(
        {"skip", "trials", "blocks that are run one by one do not tell how fast the whole is"});
  }
  source.model.store = std::make_shared<model::ConstantStore>(context.env(), folder);
  for (const auto& file : source.model.sources) source.model.store->add_source(file.bytes);
}

/// The model as it is.
Result<std::unique_ptr<engine::Session>> open_float(Context& context, const Source& source,
                                                    const model::Model& as_read) {
  engine::SessionOptions options;
  options.prepack = false;  // few runs: a second copy of the weights would not pay
  if (source.in_blocks) return open_file(context, source.path, true, options);
  auto runtime = WATTWISE_TRY(context.runtime());
  return engine::open_as_read(runtime, context.env(), as_read, source.path, options);
}

}  // namespace

Result<Source> open_source(Context& context, const PrepareOptions& options,
                           const std::string& folder) {
  Env& env = context.env();
  WATTWISE_TRY(report_progress(context.progress(), "reading the model", 0));
  Source source;
  source.path = absolute_path(env, WATTWISE_TRY(input::find_model_file(env, options.model_path)));
  source.model = WATTWISE_TRY(model::load(env, source.path));
  WATTWISE_TRY(model::verify(source.model));
  WATTWISE_TRY(model::check_ports(source.model));
  source.node_count = model::count_nodes(source.model);
  source.opset = options.opset ? options.opset : context.resolved().config.optimization.opset;
  source.size_bytes = stored_size(source.model, env, source.path);
  choose_execution(context, options.measure, folder, source);
  const model::Model as_read = model::clone(source.model);
  source.fixed = WATTWISE_TRY(fix(source, options.fixed_inputs));
  drop_defaults(context.resolved().config.optimization, source);
  source.preprocessor = WATTWISE_TRY(input::load_preprocessor(env, source.path));
  WATTWISE_TRY(report_progress(context.progress(), "running the float model", 0.1));
  const auto session = WATTWISE_TRY(open_float(context, source, as_read));
  const auto& told = session->decisions();
  source.decisions.insert(source.decisions.end(), told.begin(), told.end());
  if (options.calibration_data.is_given()) {
    source.calibration = WATTWISE_TRY(
        SampleReader::open(env, {sample_ports(source.model, *session), source.preprocessor},
                           options.calibration_data));
  }
  const SampleReader* reader = source.calibration ? &*source.calibration : nullptr;
  source.samples = WATTWISE_TRY(make_samples(
      env, {source.model, *session, source.preprocessor, source.fixed, reader}, options));
  source.samples.probabilities = model::probability_outputs(source.model);
  WATTWISE_TRY(evaluate_float(context, options.evaluation, {*session, source.fixed, 0.15}, source));
  source.inputs = inputs_of(session->inputs(), source.samples.inputs.front());
  for (const auto& file : source.model.sources) env.release_pages(file.bytes);
  return source;
}

}  // namespace wattwise::deploy
