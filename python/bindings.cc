// SPDX-License-Identifier: Apache-2.0
// The Python extension: converts types, decides nothing. Results cross as JSON text and arrays
// without copies; the GIL is released while C++ works.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "cli/run.h"
#include "core/error_table.h"
#include "wattwise/deployment.h"

namespace nb = nanobind;

namespace wattwise {
namespace {

/// Raises the Python exception that the error table names.
[[noreturn]] void raise(const Error& error) {
  const nb::object errors = nb::module_::import_("wattwise.errors");
  const std::string name(error_row(error.code()).python_exception);
  const nb::object type = errors.attr(name.c_str());
  PyErr_SetString(type.ptr(), error.to_string().c_str());
  throw nb::python_error();
}

template <typename T>
T unwrap(Result<T> result) {
  if (!result) raise(result.error());
  return std::move(*result);
}

void unwrap(Result<void> result) {
  if (!result) raise(result.error());
}

/// Runs `work` without the GIL.
template <typename Work>
auto without_gil(const Work& work) {
  nb::gil_scoped_release release;
  return work();
}

struct TypeName {
  const char* numpy;
  DataType type;
};

constexpr TypeName kTypes[] = {
    {"float32", DataType::kFloat}, {"float64", DataType::kDouble}, {"float16", DataType::kFloat16},
    {"int64", DataType::kInt64},   {"int32", DataType::kInt32},    {"int16", DataType::kInt16},
    {"int8", DataType::kInt8},     {"uint64", DataType::kUint64},  {"uint32", DataType::kUint32},
    {"uint16", DataType::kUint16}, {"uint8", DataType::kUint8},    {"bool", DataType::kBool}};

/// Keeps a Python object alive from C++; drops it with the GIL held.
std::shared_ptr<const void> keep(nb::object object) {
  auto* held = new nb::object(std::move(object));
  return {held, [](const void* p) {
            nb::gil_scoped_acquire acquire;
            delete static_cast<const nb::object*>(p);
          }};
}

/// A C-contiguous NumPy array as a tensor over the same memory.
Tensor to_tensor(const nb::object& array) {
  const std::string dtype = nb::cast<std::string>(array.attr("dtype").attr("name"));
  Tensor tensor;
  for (const TypeName& row : kTypes) {
    if (dtype == row.numpy) tensor.type = row.type;
  }
  if (tensor.type == DataType::kUndefined) {
    raise({ErrorCode::kInvalidArgument, "arrays of type " + dtype + " are not supported"});
  }
  for (const nb::handle dim : array.attr("shape")) tensor.shape.push_back(nb::cast<int64_t>(dim));
  const nb::object interface = array.attr("__array_interface__");
  const auto address = nb::cast<uintptr_t>(interface["data"][0]);
  const auto size = nb::cast<size_t>(array.attr("nbytes"));
  tensor.data = Bytes(keep(array), {reinterpret_cast<const std::byte*>(address), size});
  return tensor;
}

/// A NumPy array over the tensor's memory.
nb::object to_array(const Tensor& tensor) {
  if (tensor.type == DataType::kString) return nb::cast(tensor.strings);
  const nb::object numpy = nb::module_::import_("numpy");
  const char* dtype = "uint8";
  for (const TypeName& row : kTypes) {
    if (tensor.type == row.type) dtype = row.numpy;
  }
  auto* held = new Bytes(tensor.data);
  const nb::capsule owner(held, [](void* p) noexcept { delete static_cast<Bytes*>(p); });
  auto* data = const_cast<std::byte*>(held->data());
  const size_t size = held->size();
  const nb::object flat =
      nb::cast(nb::ndarray<nb::numpy, uint8_t, nb::ndim<1>>(data, {size}, owner));
  nb::list shape;
  for (const int64_t dim : tensor.shape) shape.append(dim);
  return flat.attr("view")(dtype).attr("reshape")(shape);
}

/// The package hands over [(name, array or str), ...] or {"batch": [...]} after its conversions.
InferenceInputs to_inputs(const nb::object& given) {
  InferenceInputs inputs;
  if (nb::isinstance<nb::dict>(given)) {
    for (const nb::handle item : given["batch"]) {
      inputs.batch.push_back(to_inputs(nb::borrow(item)));
    }
    return inputs;
  }
  for (const nb::handle pair : given) {
    const std::string name = nb::cast<std::string>(pair[0]);
    const nb::object value = pair[1];
    if (nb::isinstance<nb::str>(value)) {
      inputs.values.emplace_back(name, nb::cast<std::string>(value));
    } else {
      inputs.values.emplace_back(name, to_tensor(value));
    }
  }
  return inputs;
}

DeploymentOptions to_options(const nb::dict& given, const nb::object& log,
                             const nb::object& progress) {
  DeploymentOptions options;
  const auto text = [&](const char* key) { return nb::cast<std::string>(given[key]); };
  options.db_path = text("db_path");
  options.power_profile = text("power_profile");
  options.deployment_target = text("deployment_target");
  options.data_folder = text("data_folder");
  options.config_files = nb::cast<std::vector<std::string>>(given["config_files"]);
  options.onnxruntime_library = text("onnxruntime_library");
  options.duckdb_library = text("duckdb_library");
  options.log_level = "debug";
  // Both are called on the thread that called in, with the GIL taken for the moment.
  options.log = [log](std::string_view level, std::string_view module, std::string_view message) {
    nb::gil_scoped_acquire acquire;
    log(std::string(level), std::string(module), std::string(message));
  };
  options.progress = [progress](std::string_view stage, double fraction) {
    nb::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) {
      PyErr_Clear();
      return false;  // Ctrl-C: the package raises KeyboardInterrupt when the call returns
    }
    return progress.is_none() || nb::cast<bool>(nb::bool_(progress(std::string(stage), fraction)));
  };
  return options;
}

class Deployment {
 public:
  Deployment(const nb::dict& options, const nb::object& log, const nb::object& progress)
      : deployment_(unwrap(PowerEfficientDeployment::create(to_options(options, log, progress)))) {}

  std::string prepare(const nb::dict& given, const nb::list& samples) {
    PrepareOptions options;
    const auto text = [&](const char* key) { return nb::cast<std::string>(given[key]); };
    options.model_path = text("model_path");
    options.output_path = text("output_path");
    options.model_type = text("model_type");
    options.quantization_method = text("quantization_method");
    options.dry_run = nb::cast<bool>(given["dry_run"]);
    options.bundle = nb::cast<bool>(given["bundle"]);
    for (const nb::handle sample : samples)
      options.samples.push_back(to_inputs(nb::borrow(sample)));
    return to_json(
        unwrap(without_gil([&] { return deployment_.prepare_model_for_deployment(options); })));
  }

  nb::tuple load(const std::string& model_path, const nb::object& loader) {
    LoadOptions options;
    options.model_path = model_path;
    if (!loader.is_none()) options.model_loader = wrap_loader(loader);
    const auto result = unwrap(without_gil([&] { return deployment_.load_model(options); }));
    const bool custom = result.model.has_value();
    return nb::make_tuple(to_json(result),
                          custom ? *std::any_cast<Held>(result.model) : nb::none());
  }

  nb::tuple run(const std::string& model_path, const nb::object& given) {
    const InferenceInputs inputs = to_inputs(given);
    const auto result =
        unwrap(without_gil([&] { return deployment_.run_inference(model_path, inputs); }));
    nb::dict outputs;
    for (const auto& [name, tensor] : result.outputs) outputs[name.c_str()] = to_array(tensor);
    InferenceResult rest = result;
    rest.outputs.clear();
    return nb::make_tuple(to_json(rest), outputs);
  }

  nb::tuple run_handler(const std::string& model_path, const nb::object& handler) {
    const InferenceHandler call = [&](const std::any& model) -> Result<std::any> {
      nb::gil_scoped_acquire acquire;
      const nb::object handle = model.has_value() ? *std::any_cast<Held>(model) : nb::none();
      return std::any(hold(handler(handle)));
    };
    const auto result =
        unwrap(without_gil([&] { return deployment_.run_inference(model_path, call); }));
    return nb::make_tuple(to_json(result), *std::any_cast<Held>(result.handler_result));
  }

  bool unload(const std::string& path) {
    return unwrap(without_gil([&] { return deployment_.unload_model(path); }));
  }
  std::string update_config(const std::string& patch) {
    return unwrap(deployment_.update_config(patch));
  }
  std::string status(const std::string& path) {
    return unwrap(without_gil([&] { return deployment_.get_deployment_status(path); }));
  }
  std::string report(const std::string& path, const std::string& format) {
    return unwrap(
        without_gil([&] { return deployment_.get_power_efficiency_report(path, format); }));
  }
  std::string thermal() {
    return to_json(unwrap(without_gil([&] { return deployment_.check_thermal_status(); })));
  }
  std::string inspect(const std::string& path) {
    return unwrap(without_gil([&] { return deployment_.inspect_model(path); }));
  }
  std::string diagnose() {
    return unwrap(without_gil([&] { return deployment_.diagnose(); }));
  }
  void cleanup() {
    unwrap(without_gil([&] { return deployment_.cleanup(); }));
  }

 private:
  using Held =
      std::shared_ptr<nb::object>;  // shared by the registry and results; freed with the GIL

  static Held hold(nb::object object) {
    return {new nb::object(std::move(object)), [](nb::object* held) {
              nb::gil_scoped_acquire acquire;
              delete held;
            }};
  }

  static ModelLoader wrap_loader(const nb::object& loader) {
    const Held kept = hold(loader);
    return [kept](const std::string& path) -> Result<std::any> {
      nb::gil_scoped_acquire acquire;
      return std::any(hold((*kept)(path)));
    };
  }

  PowerEfficientDeployment deployment_;
};

}  // namespace
}  // namespace wattwise

NB_MODULE(_native, m) {
  using wattwise::Deployment;
  nb::class_<Deployment>(m, "Deployment")
      .def(nb::init<const nb::dict&, const nb::object&, const nb::object&>(), nb::arg("options"),
           nb::arg("log"), nb::arg("progress").none())
      .def("prepare", &Deployment::prepare)
      .def("load", &Deployment::load, nb::arg("model_path"), nb::arg("loader").none())
      .def("run", &Deployment::run)
      .def("run_handler", &Deployment::run_handler)
      .def("unload", &Deployment::unload)
      .def("update_config", &Deployment::update_config)
      .def("status", &Deployment::status)
      .def("report", &Deployment::report)
      .def("thermal", &Deployment::thermal)
      .def("inspect", &Deployment::inspect)
      .def("diagnose", &Deployment::diagnose)
      .def("cleanup", &Deployment::cleanup);
  m.def("power_profiles", [] { return wattwise::unwrap(wattwise::power_profiles()); });
  m.def("deployment_targets", [] { return wattwise::unwrap(wattwise::deployment_targets()); });
  m.def("main", [](std::vector<std::string> words) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    nb::gil_scoped_release release;
    return wattwise::cli::run(static_cast<int>(argv.size()), argv.data());
  });
  m.def("version", [] { return std::string(wattwise::version()); });
}
