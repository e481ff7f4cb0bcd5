// SPDX-License-Identifier: Apache-2.0
#include "deploy/prepare_cache.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/build_id.h"
#include "core/hash.h"
#include "core/mapped_pieces.h"
#include "core/text.h"
#include "deploy/from_json.h"
#include "deploy/to_json.h"
#include "device/snapshot.h"
#include "input/preprocessor.h"
#include "model/load.h"

namespace wattwise::deploy {
namespace {

void add_file(const Env& env, std::string_view name, const Bytes& content, Hash& hash) {
  hash.add_field(name, fmt::format("{} {}", content.size(), hash_of_mapped(env, content)));
}

/// The model file and the files beside it that hold its constants.
Result<void> add_model(Env& env, const std::string& path, Hash& hash) {
  const auto model = WATTWISE_TRY(model::load(env, path));
  for (const auto& file : model.sources) add_file(env, "model", file.bytes, hash);
  return {};
}

Result<void> add_companions(Env& env, const std::string& model_path, Hash& hash) {
  const auto preprocessor = WATTWISE_TRY(input::load_preprocessor(env, model_path));
  for (const std::string& path : preprocessor.files) {
    add_file(env, file_name(path), WATTWISE_TRY(env.map_file(path)), hash);
  }
  return {};
}

Result<void> add_value(Env& env, const InputValue& value, Hash& hash) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    hash.add_field("text", *text);
    const auto info = env.stat(*text);
    if (info && info->is_regular) {
      add_file(env, "file", WATTWISE_TRY(env.map_file(*text)), hash);
    }
    return {};
  }
  const auto& tensor = std::get<Tensor>(value);
  hash.add_field("type", data_type_name(tensor.type));
  hash.add_field("shape", fmt::format("{}", fmt::join(tensor.shape, ",")));
  hash.add_field("data", tensor.data.as_text());
  for (const std::string& item : tensor.strings) hash.add_field("item", item);
  return {};
}

Result<void> add_samples(Env& env, const std::vector<InferenceInputs>& samples, Hash& hash) {
  hash.add_field("samples", std::to_string(samples.size()));
  for (const InferenceInputs& sample : samples) {
    hash.add_field("values", std::to_string(sample.values.size()));
    for (const auto& [name, value] : sample.values) {
      hash.add_field("name", name);
      WATTWISE_TRY(add_value(env, value, hash));
    }
    WATTWISE_TRY(add_samples(env, sample.batch, hash));
  }
  return {};
}

/// Every file of a data set, by name and content, and the labels beside a file of arrays.
Result<void> add_data(Env& env, const std::string& path, Hash& hash) {
  const auto info = env.stat(path);
  if (!info) return {};
  if (!info->is_directory) {
    const std::string labels = join_path(parent_path(path), file_stem(path) + "_labels");
    for (const std::string& file : {path, labels + ".npy", labels + ".txt"}) {
      const auto there = env.stat(file);
      if (!there || !there->is_regular) continue;
      add_file(env, file_name(file), WATTWISE_TRY(env.map_file(file)), hash);
    }
    return {};
  }
  auto names = WATTWISE_TRY(env.list_directory(path));
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    hash.add_field("name", name);
    WATTWISE_TRY(add_data(env, join_path(path, name), hash));
  }
  return {};
}

Result<void> add_options(Env& env, const PrepareOptions& options, Hash& hash) {
  hash.add_field("model_type", to_lower(options.model_type));
  hash.add_field("quantization_method", to_lower(options.quantization_method));
  hash.add_field("sample_source", options.sample_source);
  hash.add_field("bundle", options.bundle ? "yes" : "no");
  hash.add_field("measure", options.measure ? "yes" : "no");
  hash.add_field("opset", options.opset ? std::to_string(*options.opset) : "");
  for (const auto& [name, value] : options.fixed_inputs) hash.add_field("fixed:" + name, value);
  WATTWISE_TRY(add_samples(env, options.samples, hash));
  hash.add_field("calibration", options.calibration_data.path);
  WATTWISE_TRY(add_data(env, options.calibration_data.path, hash));
  hash.add_field("metric", options.evaluation.metric);
  hash.add_field("evaluation", options.evaluation.data.path);
  return add_data(env, options.evaluation.data.path, hash);
}

Result<void> add_configuration(Context& context, Hash& hash) {
  const config::Resolved resolved = context.resolved();
  Json document = resolved.document;
  document.erase("cache");  // decides where results lie, not what they are
  hash.add_field("config", write_json(document));
  hash.add_field("profile", resolved.config.power_profile);
  hash.add_field("target_id", resolved.config.deployment_target);
  hash.add_field("target", write_json(context.target(resolved)));
  hash.add_field("provider", write_json(context.provider_file(resolved)));
  hash.add_field("device", write_json(WATTWISE_TRY(context.device_file(resolved))));
  const auto& all = context.tables().templates;
  if (const auto own = all.find(resolved.config.deployment_target); own != all.end()) {
    for (const auto& [name, content] : own->second) hash.add_field(name, content);
  }
  return {};
}

/// The processor decides which kernels run, and with them the last bits of what is compared.
Result<void> add_program(Context& context, bool measure, Hash& hash) {
  Env& env = context.env();
  hash.add_field("version", version());
  hash.add_field("build", build_id());
  hash.add_field("runtime", WATTWISE_TRY(context.identify_runtime()));
  const auto cpu = device::take_snapshot(env, "").cpu;
  hash.add_field("cpu", cpu.model);
  hash.add_field("isa", join(cpu.isa, " "));
  if (!measure) return {};
  for (const char* file : {"/etc/machine-id", "/proc/sys/kernel/hostname"}) {
    hash.add_field(file, env.read_file(file).value_or(""));
  }
  return {};
}

Decision describe_reuse(const std::string& key, const Json& note) {
  return {"reuse", key,
          fmt::format("prepared before, on {} in {:.2f} s, from the same model, settings and "
                      "program; every file was checked. --no-cache prepares anew",
                      note.value("made_at", ""), note.value("seconds", 0.0))};
}

}  // namespace

bool can_be_reused(const PrepareOptions& options) {
  return !options.calibration_data.start && !options.evaluation.data.start &&
         !options.evaluation.custom;
}

Result<std::string> preparation_key(Context& context, const PrepareOptions& options,
                                    const PreparationPlace& place) {
  Hash hash;
  Env& env = context.env();
  hash.add_field("output", file_name(place.output));
  WATTWISE_TRY(add_program(context, options.measure, hash));
  WATTWISE_TRY(add_configuration(context, hash));
  WATTWISE_TRY(add_options(env, options, hash));
  WATTWISE_TRY(add_companions(env, place.input, hash));
  WATTWISE_TRY(add_model(env, place.input, hash));
  return hash.digits();
}

Result<std::optional<Reused>> reuse_preparation(Context& context, const std::string& key,
                                                const PreparationPlace& place,
                                                const Staging& staging) {
  auto cache = context.cache();
  auto note = cache.find_in_place(key, parent_path(place.output));
  const bool is_in_place = note.has_value();
  if (!is_in_place) note = WATTWISE_TRY(cache.restore(key, staging.folder()));
  if (!note) return std::optional<Reused>();
  PrepareResult result =
      WATTWISE_TRY(read_prepare_result(note->at("result"), note->at("original_provenance")));
  result.input_model_path = place.input;
  result.output_model_path = place.output;
  if (!result.bundle_path.empty()) {
    result.bundle_path = join_path(parent_path(place.output), file_name(result.bundle_path));
  }
  result.decisions.push_back(describe_reuse(key, *note));
  return std::optional(Reused{std::move(result), is_in_place});
}

void keep_preparation(Context& context, const std::string& key, const Staging& staging,
                      PrepareResult& result) {
  const Json note = {{"made_at", format_timestamp(context.env().wall_now().count())},
                     {"seconds", result.preparation_time_seconds},
                     {"result", to_document(result)},
                     {"original_provenance", provenance(result.original_power_efficiency.figures)}};
  const auto kept = context.cache().keep(key, staging.folder(), note);
  if (kept) return;
  context.logger().log(LogLevel::kInfo, "deploy", "preparation not kept for reuse",
                       field("reason", kept.error().to_string()));
  result.decisions.push_back({"not_cached", key, kept.error().to_string()});
}

}  // namespace wattwise::deploy
