// SPDX-License-Identifier: Apache-2.0
#include "deploy/efficiency.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/session.h"

namespace wattwise::deploy {
namespace {

device::Workload make_workload(const model::Inspection& inspection, double request_rate_qps) {
  device::Workload workload;
  workload.request_rate_qps = request_rate_qps;
  double widest = 0;
  for (const model::NodeCost& node : inspection.nodes) {
    const auto activations = static_cast<double>(node.activation_bytes.value_or(0));
    const bool integer = node.compute_type == DataType::kInt8;
    workload.items.push_back({static_cast<double>(node.macs.value_or(0)),
                              static_cast<double>(node.weight_bytes), activations, integer});
    widest = std::max(widest, activations);
  }
  workload.peak_memory_bytes = static_cast<double>(inspection.weight_bytes) + widest;
  return workload;
}

}  // namespace

PowerEfficiency estimate_efficiency(const model::Inspection& inspection,
                                    const std::optional<device::DeviceProfile>& device,
                                    const Config& config) {
  PowerEfficiency out;
  out.request_rate_qps = config.inference_optimization.request_rate_qps;
  if (!device) {
    out.device = "unknown";
    out.risk_reason = "this target names no device file";
    for (const char* id :
         {"power_consumption_mw", "energy_per_inference_mj", "energy_efficiency_items_per_joule",
          "battery_impact_percent_per_hour", "latency_ms", "peak_memory_bytes"}) {
      out.figures[id] = Figure::absent("this target names no device file; set device.profile");
    }
    return out;
  }
  device::DeviceProfile profile = *device;
  if (config.device.battery_wh) profile.battery_wh = config.device.battery_wh;
  out.device = profile.id;
  out.figures = device::estimate(profile, make_workload(inspection, out.request_rate_qps));
  const auto risk = device::throttling_risk(profile, out.figures["power_consumption_mw"]);
  out.thermal_throttling_risk = risk.level;
  out.risk_reason = risk.reason;
  return out;
}

Result<model::Inspection> inspect_with_shapes(Context& context, const model::Model& model,
                                              const engine::InputGuess& guess) {
  auto runtime = WATTWISE_TRY(context.runtime());
  const auto shapes = WATTWISE_TRY(engine::infer_shapes(runtime, context.env(), model, guess));
  return model::inspect(model, shapes);
}

}  // namespace wattwise::deploy
