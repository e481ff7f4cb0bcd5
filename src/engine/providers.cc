// SPDX-License-Identifier: Apache-2.0
#include "engine/providers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/append_provider.h"

namespace wattwise::engine {
namespace {

constexpr std::array kProviders = {
    ProviderRow{"cpu", "CPUExecutionProvider", "any processor", "", false},
    ProviderRow{"cuda", "CUDAExecutionProvider",
                "an NVIDIA GPU, its driver, and ONNX Runtime built with CUDA", "cpu", true},
    ProviderRow{"coreml", "CoreMLExecutionProvider",
                "an Apple device, and ONNX Runtime built with Core ML", "cpu", true},
    ProviderRow{"qnn", "QNNExecutionProvider",
                "a Qualcomm NPU, and ONNX Runtime with the QNN provider", "cpu", true},
    ProviderRow{"openvino", "OpenVINOExecutionProvider",
                "an Intel processor, and ONNX Runtime built with OpenVINO", "cpu", false},
    ProviderRow{"xnnpack", "XnnpackExecutionProvider", "ONNX Runtime built with XNNPACK", "cpu",
                false},
    ProviderRow{"webgpu", "WebGpuExecutionProvider", "a GPU, and ONNX Runtime built with WebGPU",
                "cpu", true},
};

bool offered(const Runtime& runtime, const ProviderRow& row) {
  const auto names = runtime.available_providers();
  return std::find(names.begin(), names.end(), row.ort_name) != names.end();
}

}  // namespace

std::span<const ProviderRow> provider_table() { return kProviders; }

std::vector<ProviderStatus> probe_providers(const Runtime& runtime) {
  std::vector<ProviderStatus> out;
  for (const ProviderRow& row : kProviders) {
    const bool available = offered(runtime, row);
    out.push_back(
        {std::string(row.id), available,
         available ? ""
                   : fmt::format("this ONNX Runtime does not offer it; it needs {}", row.needs)});
  }
  return out;
}

Result<std::string> append_providers(const Runtime& runtime, OrtSessionOptions* options,
                                     const std::vector<std::string>& wanted,
                                     std::vector<Decision>& decisions) {
  std::string leading = "cpu";
  for (const std::string& id : wanted) {
    if (id == "cpu") break;  // always there, and after it nothing is reached
    const auto row = std::find_if(kProviders.begin(), kProviders.end(),
                                  [&](const ProviderRow& r) { return r.id == id; });
    if (row == kProviders.end()) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("there is no execution provider \"{}\"", id));
    }
    if (!offered(runtime, *row)) {
      decisions.push_back(
          {"skip_provider", id,
           fmt::format("this ONNX Runtime does not offer it; it needs {}", row->needs)});
      continue;
    }
    std::string name(row->ort_name);
    name.resize(name.size() - std::string_view("ExecutionProvider").size());
    const auto added = check(
        ort_api().SessionOptionsAppendExecutionProvider(options, name.c_str(), nullptr, nullptr, 0),
        "use the provider", id);
    if (!added) {
      decisions.push_back({"skip_provider", id, added.error().message()});
    } else if (leading == "cpu") {
      leading = id;
    }
  }
  return leading;
}

}  // namespace wattwise::engine
