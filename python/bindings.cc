// SPDX-License-Identifier: Apache-2.0
// The Python extension: converts types, decides nothing. Results cross as JSON text and arrays
// without copies; the GIL is released while C++ works.
#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "callbacks.h"
#include "cli/run.h"
#include "errors.h"
#include "sample_data.h"
#include "wattwise/deployment.h"

namespace nb = nanobind;

namespace wattwise::python {
namespace {

std::string text(const nb::dict& given, const char* key) {
  return nb::cast<std::string>(given[key]);
}

std::map<std::string, std::string> fixed_inputs(const nb::dict& given) {
  return nb::cast<std::map<std::string, std::string>>(given["fixed_inputs"]);
}

std::optional<int64_t> opset(const nb::dict& given) {
  const nb::object value = given["opset"];
  return value.is_none() ? std::nullopt : std::optional(nb::cast<int64_t>(value));
}

DeploymentOptions to_options(const nb::dict& given, const std::shared_ptr<Callbacks>& callbacks) {
  DeploymentOptions options;
  options.db_path = text(given, "db_path");
  options.power_profile = text(given, "power_profile");
  options.deployment_target = text(given, "deployment_target");
  options.data_folder = text(given, "data_folder");
  options.config_files = nb::cast<std::vector<std::string>>(given["config_files"]);
  options.onnxruntime_library = text(given, "onnxruntime_library");
  options.duckdb_library = text(given, "duckdb_library");
  options.cache_folder = text(given, "cache_folder");
  options.log_level = "debug";
  options.log = [callbacks](auto... record) { callbacks->queue_record(record...); };
  options.progress = [callbacks](auto... report) { return callbacks->report_progress(report...); };
  return options;
}

PrepareOptions to_prepare_options(const nb::dict& given, const nb::object& data) {
  PrepareOptions options;
  options.model_path = text(given, "model_path");
  options.output_path = text(given, "output_path");
  options.model_type = text(given, "model_type");
  options.quantization_method = text(given, "quantization_method");
  options.dry_run = nb::cast<bool>(given["dry_run"]);
  options.bundle = nb::cast<bool>(given["bundle"]);
  options.opset = opset(given);
  options.measure = nb::cast<bool>(given["measure"]);
  options.use_cache = nb::cast<bool>(given["use_cache"]);
  options.fixed_inputs = fixed_inputs(given);
  options.calibration_data = to_sample_data(data);
  return options;
}

/// A callback of Python's as C++ calls it: takes and returns what `std::any` holds as `Held`.
Result<std::any> call_back(const nb::object& argument, const nb::object& callback) {
  std::any result;
  if (Callbacks::guard([&] { result = hold(callback(argument)); })) return result;
  return callback_failed();
}

class Deployment {
 public:
  Deployment(const nb::dict& options, const nb::object& log, const nb::object& progress)
      : callbacks_(std::make_shared<Callbacks>(log, progress)),
        deployment_(unwrap(PowerEfficientDeployment::create(to_options(options, callbacks_)))) {}

  std::string prepare(const nb::dict& given, const nb::object& data, const nb::object& evaluation) {
    PrepareOptions options = to_prepare_options(given, data);
    options.evaluation = to_evaluation(evaluation);
    return to_json(
        callbacks_->call([&] { return deployment_.prepare_model_for_deployment(options); }));
  }

  nb::tuple load(const std::string& model_path, const nb::object& loader) {
    LoadOptions options;
    options.model_path = model_path;
    if (!loader.is_none()) {
      options.model_loader = [kept = hold(loader)](const std::string& path) {
        const nb::gil_scoped_acquire acquire;
        return call_back(nb::cast(path), *kept);
      };
    }
    const auto result = callbacks_->call([&] { return deployment_.load_model(options); });
    return nb::make_tuple(to_json(result), handle_of(result.model));
  }

  nb::tuple run(const std::string& model_path, const nb::object& given) {
    const InferenceInputs inputs = to_inputs(given);
    auto result = callbacks_->call([&] { return deployment_.run_inference(model_path, inputs); });
    const nb::dict outputs = to_arrays(result.outputs);
    result.outputs.clear();
    return nb::make_tuple(to_json(result), outputs);
  }

  nb::tuple run_handler(const std::string& model_path, const nb::object& handler) {
    const InferenceHandler call = [&](const std::any& model) {
      const nb::gil_scoped_acquire acquire;
      return call_back(handle_of(model), handler);
    };
    const auto result =
        callbacks_->call([&] { return deployment_.run_inference(model_path, call); });
    return nb::make_tuple(to_json(result), handle_of(result.handler_result));
  }

  bool unload(const std::string& path) {
    return callbacks_->call([&] { return deployment_.unload_model(path); });
  }
  std::string update_config(const std::string& patch) {
    return callbacks_->call([&] { return deployment_.update_config(patch); });
  }
  std::string status(const std::string& path) {
    return callbacks_->call([&] { return deployment_.get_deployment_status(path); });
  }
  std::string report(const std::string& path, const std::string& format) {
    return callbacks_->call([&] { return deployment_.get_power_efficiency_report(path, format); });
  }
  std::string thermal() {
    return to_json(callbacks_->call([&] { return deployment_.check_thermal_status(); }));
  }
  std::string optimize(const nb::dict& given, const nb::object& data) {
    OptimizeOptions options;
    options.model_path = text(given, "model_path");
    options.output_path = text(given, "output_path");
    options.dry_run = nb::cast<bool>(given["dry_run"]);
    options.measure = nb::cast<bool>(given["measure"]);
    options.opset = opset(given);
    options.fixed_inputs = fixed_inputs(given);
    options.data = to_sample_data(data);
    return callbacks_->call([&] { return deployment_.optimize_model(options); });
  }
  std::string inspect(const std::string& path) {
    return callbacks_->call([&] { return deployment_.inspect_model(path); });
  }
  std::string compare(const nb::dict& given, const nb::object& data, const nb::object& evaluation) {
    CompareOptions options;
    options.first_path = text(given, "first_path");
    options.second_path = text(given, "second_path");
    options.plot_path = text(given, "plot_path");
    options.fixed_inputs = fixed_inputs(given);
    options.data = to_sample_data(data);
    options.evaluation = to_evaluation(evaluation);
    return callbacks_->call([&] { return deployment_.compare_models(options); });
  }
  std::string diagnose() {
    return callbacks_->call([&] { return deployment_.diagnose(); });
  }
  void cleanup() {
    callbacks_->call([&] { return deployment_.cleanup(); });
  }

 private:
  static nb::object handle_of(const std::any& held) {
    const Held* kept = std::any_cast<Held>(&held);
    return kept != nullptr ? **kept : nb::none();
  }

  std::shared_ptr<Callbacks> callbacks_;  // shared with the deployment's log and progress
  PowerEfficientDeployment deployment_;
};

int run_command_line(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  const nb::gil_scoped_release release;
  return cli::run(static_cast<int>(argv.size()), argv.data());
}

}  // namespace
}  // namespace wattwise::python

NB_MODULE(_native, m) {
  // What a script that ends with an exception still holds is no leak of ours to tell its user of.
  nb::set_leak_warnings(false);
  using wattwise::python::Deployment;
  nb::class_<Deployment>(m, "Deployment")
      .def(nb::init<const nb::dict&, const nb::object&, const nb::object&>(), nb::arg("options"),
           nb::arg("log"), nb::arg("progress").none())
      .def("prepare", &Deployment::prepare, nb::arg("given"), nb::arg("data").none(),
           nb::arg("evaluation"))
      .def("load", &Deployment::load, nb::arg("model_path"), nb::arg("loader").none())
      .def("run", &Deployment::run)
      .def("run_handler", &Deployment::run_handler)
      .def("unload", &Deployment::unload)
      .def("update_config", &Deployment::update_config)
      .def("status", &Deployment::status)
      .def("report", &Deployment::report)
      .def("thermal", &Deployment::thermal)
      .def("optimize", &Deployment::optimize, nb::arg("given"), nb::arg("data").none())
      .def("inspect", &Deployment::inspect)
      .def("compare", &Deployment::compare, nb::arg("given"), nb::arg("data").none(),
           nb::arg("evaluation"))
      .def("diagnose", &Deployment::diagnose)
      .def("cleanup", &Deployment::cleanup);
  m.def("power_profiles", [] { return wattwise::python::unwrap(wattwise::power_profiles()); });
  m.def("deployment_targets",
        [] { return wattwise::python::unwrap(wattwise::deployment_targets()); });
  m.def("main", &wattwise::python::run_command_line);
  m.def("version", [] { return std::string(wattwise::version()); });
}
