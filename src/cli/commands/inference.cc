// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/parse_input.h"
#include "cli/show.h"

namespace wattwise::cli {
namespace {

struct InferenceArguments {
  std::string model_path;
  std::vector<std::string> inputs;
  int64_t batch_size = 1;
  int64_t repeat = 1;
};

/// The first few elements of a float output, for people; --json has more.
std::string show_tensor(const Tensor& tensor) {
  std::string shape;
  for (const int64_t dim : tensor.shape)
    shape += fmt::format("{}{}", shape.empty() ? "" : ", ", dim);
  std::string out = fmt::format("{}[{}]", data_type_name(tensor.type), shape);
  if (tensor.type != DataType::kFloat) return out;
  const auto values = tensor.values<float>();
  constexpr size_t kShown = 6;
  for (size_t i = 0; i < std::min(kShown, values.size()); ++i) {
    out += fmt::format("{}{:.4g}", i ? ", " : " = ", values[i]);
  }
  return out + (values.size() > kShown ? ", ..." : "");
}

std::string describe(const InferenceResult& result, bool explain) {
  Lines lines;
  lines.add(result.status, result.model_path);
  lines.add("time",
            fmt::format("{:.3f} ms (measured: wall clock)", result.inference_time_seconds * 1e3));
  lines.add("energy", show_figure(result.energy_mj, "mJ"));
  lines.add("runs on", result.operating_point);
  for (const auto& [name, tensor] : result.outputs) lines.add(name, show_tensor(tensor));
  return lines.to_string() + (explain ? show_decisions(result.decisions) : "");
}

/// "E=mc2 is famous" reads like the value of an input E.
Error with_hint(Error error, const std::vector<std::string>& words) {
  const bool unknown_name = error.message().starts_with("the model has no input \"");
  if (!unknown_name || words.size() != 1 || words[0].find('=') == std::string::npos) return error;
  Error hinted(error.code(), fmt::format("{}. If all of it is a text, write \"text={}\"",
                                         error.message(), words[0]));
  for (const std::string& where : error.context()) hinted = std::move(hinted).with_context(where);
  return hinted;
}

/// What one batch may hold; all of it is in memory at once.
constexpr int64_t kLargestBatch = 4096;

Result<Output> run(const InferenceArguments& arguments, Invocation& invocation) {
  InferenceInputs inputs = WATTWISE_TRY(parse_inputs(arguments.inputs));
  if (arguments.batch_size > kLargestBatch) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("--batch-size {} is more than the {} that one batch may hold; use a "
                             "smaller one with --repeat",
                             arguments.batch_size, kLargestBatch));
  }
  if (arguments.batch_size > 1) {
    InferenceInputs batch;
    batch.batch.assign(static_cast<size_t>(arguments.batch_size), inputs);
    inputs = std::move(batch);
    const Json patch = {
        {"inference_optimization",
         {{"batch_inference_when_possible", true}, {"optimal_batch_size", arguments.batch_size}}}};
    invocation.options.config_patches.emplace_back("--batch-size", write_json(patch));
  }
  auto deployment = WATTWISE_TRY(PowerEfficientDeployment::create(invocation.options));
  auto first = deployment.run_inference(arguments.model_path, inputs);
  if (!first) return with_hint(std::move(first).error(), arguments.inputs);
  InferenceResult result = std::move(*first);
  for (int64_t i = 1; i < arguments.repeat; ++i) {
    result = WATTWISE_TRY(deployment.run_inference(arguments.model_path, inputs));
  }
  WATTWISE_TRY(deployment.cleanup());
  return Output{to_json(result), describe(result, invocation.explain)};
}

}  // namespace

Action declare_inference(Options& command) {
  auto arguments =
      std::make_shared<InferenceArguments>();  // shared by the option bindings and the action
  command.add_required_text("--model-path", arguments->model_path, "ONNX file or model folder");
  command.add_texts(
      "--input", arguments->inputs,
      "VALUE or NAME=VALUE, where VALUE is a text, a file (.npy, .npz, image, .wav) or "
      "a JSON array; may be repeated");
  command.add_count("--batch-size", arguments->batch_size, "run the input this often in one batch");
  command.add_count("--repeat", arguments->repeat, "run this often; the last result is shown");
  return [arguments](Invocation& invocation) { return run(*arguments, invocation); };
}

}  // namespace wattwise::cli
