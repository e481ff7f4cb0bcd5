// SPDX-License-Identifier: Apache-2.0
#include "wattwise/deployment.h"

#include <utility>

#include "deploy/compare.h"
#include "deploy/context.h"
#include "deploy/examine.h"
#include "deploy/inference.h"
#include "deploy/prepare.h"
#include "deploy/rewrite.h"
#include "deploy/status.h"
#include "deploy/thermal.h"

namespace wattwise {

struct PowerEfficientDeployment::State {
  std::unique_ptr<deploy::Context> context;
};

namespace {

/// An empty path would mean the current folder.
Result<void> check_path(const std::string& path) {
  if (!path.empty()) return {};
  return Error(ErrorCode::kInvalidArgument,
               "the path of the model is empty; name an ONNX file or a model folder");
}

}  // namespace

Result<PowerEfficientDeployment> PowerEfficientDeployment::create(DeploymentOptions options) {
  auto context = WATTWISE_TRY(deploy::Context::create(system_env(), std::move(options)));
  return PowerEfficientDeployment(std::make_unique<State>(State{std::move(context)}));
}

PowerEfficientDeployment::PowerEfficientDeployment(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
PowerEfficientDeployment::PowerEfficientDeployment(PowerEfficientDeployment&&) noexcept = default;
PowerEfficientDeployment& PowerEfficientDeployment::operator=(PowerEfficientDeployment&&) noexcept =
    default;

PowerEfficientDeployment::~PowerEfficientDeployment() {
  // A destructor has no one to tell; callers who care call cleanup() themselves.
  if (state_) [[maybe_unused]]
    const auto ignored = cleanup();
}

Result<PrepareResult> PowerEfficientDeployment::prepare_model_for_deployment(
    const PrepareOptions& options) {
  WATTWISE_TRY(check_path(options.model_path));
  return deploy::prepare(*state_->context, options);
}

Result<LoadResult> PowerEfficientDeployment::load_model(const LoadOptions& options) {
  WATTWISE_TRY(check_path(options.model_path));
  return deploy::load(*state_->context, options);
}

Result<InferenceResult> PowerEfficientDeployment::run_inference(const std::string& model_path,
                                                                const InferenceInputs& inputs) {
  WATTWISE_TRY(check_path(model_path));
  return deploy::infer(*state_->context, model_path, inputs);
}

Result<InferenceResult> PowerEfficientDeployment::run_inference(const std::string& model_path,
                                                                const InferenceHandler& handler) {
  WATTWISE_TRY(check_path(model_path));
  return deploy::infer_with_handler(*state_->context, model_path, handler);
}

Result<bool> PowerEfficientDeployment::unload_model(const std::string& model_path) {
  WATTWISE_TRY(check_path(model_path));
  return deploy::unload(*state_->context, model_path);
}

Result<std::string> PowerEfficientDeployment::update_config(std::string_view json_patch) {
  Json patch = WATTWISE_TRY(parse_json_argument(json_patch, "the configuration update"));
  const auto resolved = WATTWISE_TRY(state_->context->update({"update_config", std::move(patch)}));
  return write_json(resolved.document, 2);
}

Config PowerEfficientDeployment::config() const { return state_->context->resolved().config; }

std::string PowerEfficientDeployment::explain_config() const {
  const config::Resolved resolved = state_->context->resolved();
  Json out = Json::object();
  for (const auto& [key, layer] : resolved.origin) {
    const size_t dot = key.find('.');
    const Json& value = resolved.document.at(key.substr(0, dot)).at(key.substr(dot + 1));
    out[key] = {{"value", value}, {"layer", layer}};
  }
  return write_json(out, 2);
}

Result<std::string> PowerEfficientDeployment::get_deployment_status(const std::string& model_path) {
  const Json document = WATTWISE_TRY(deploy::status(*state_->context, model_path));
  return write_json(document, 2);
}

Result<std::string> PowerEfficientDeployment::get_power_efficiency_report(
    const std::string& model_path, std::string_view report_format) {
  const auto data = WATTWISE_TRY(deploy::report_data(*state_->context, model_path));
  return report::render(data, report_format, state_->context->tables().metrics);
}

Result<ThermalStatus> PowerEfficientDeployment::check_thermal_status() {
  return deploy::read_thermal_status(*state_->context, state_->context->resolved());
}

Result<std::string> PowerEfficientDeployment::optimize_model(const OptimizeOptions& options) {
  WATTWISE_TRY(check_path(options.model_path));
  auto document = deploy::optimize_model(*state_->context, options);
  if (!document) {
    return std::move(document).error().with_context("optimizing " + options.model_path);
  }
  return write_json(*document, 2);
}

Result<std::string> PowerEfficientDeployment::inspect_model(const std::string& model_path) {
  WATTWISE_TRY(check_path(model_path));
  const Json document = WATTWISE_TRY(deploy::inspect_model(*state_->context, model_path));
  return write_json(document, 2);
}

Result<std::string> PowerEfficientDeployment::compare_models(const CompareOptions& options) {
  WATTWISE_TRY(check_path(options.first_path));
  WATTWISE_TRY(check_path(options.second_path));
  auto document = deploy::compare_models(*state_->context, options);
  if (document) return write_json(*document, 2);
  return std::move(document).error().with_context("comparing " + options.first_path + " and " +
                                                  options.second_path);
}

Result<std::string> PowerEfficientDeployment::diagnose() const {
  return write_json(deploy::diagnose_machine(*state_->context), 2);
}

Result<void> PowerEfficientDeployment::cleanup() {
  state_->context->models().clear();
  return state_->context->close_store();
}

Result<std::vector<std::string>> power_profiles(const std::string& data_folder) {
  const auto tables = WATTWISE_TRY(config::load_tables(system_env(), data_folder));
  return tables.profile_ids();
}

Result<std::vector<std::string>> deployment_targets(const std::string& data_folder) {
  const auto tables = WATTWISE_TRY(config::load_tables(system_env(), data_folder));
  return tables.target_ids();
}

std::string_view version() { return WATTWISE_VERSION; }

}  // namespace wattwise
