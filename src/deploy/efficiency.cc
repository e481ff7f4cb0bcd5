// SPDX-License-Identifier: Apache-2.0
#include "deploy/efficiency.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

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

/// Work that is not counted makes every cost a lower bound; how far it reaches is not known.
void open_intervals(const model::Inspection& inspection, Figures& figures) {
  const int64_t uncounted = inspection.nodes_without_shape;
  const int64_t repeated = inspection.nodes_in_loops;
  if (uncounted == 0 && repeated == 0) return;
  const std::string note = fmt::format(
      "; a lower bound without an upper one, as {} multiplying nodes are not counted and {} are in "
      "loops and counted once",
      uncounted, repeated);
  for (const char* id : {"latency_ms", "energy_per_inference_mj", "power_consumption_mw",
                         "battery_impact_percent_per_hour"}) {
    if (figures[id].value) figures[id].high.reset();
  }
  figures["energy_efficiency_items_per_joule"].low.reset();
  for (auto& [id, figure] : figures) {
    if (figure.value && id != "peak_memory_bytes") figure.method += note;
  }
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
  open_intervals(inspection, out.figures);
  const auto risk = device::throttling_risk(profile, out.figures["power_consumption_mw"]);
  out.thermal_throttling_risk = risk.level;
  out.risk_reason = risk.reason;
  return out;
}

Figure energy_of_run(const Figure& one, const RunWork& work) {
  if (!one.value) return one;
  const auto items = static_cast<double>(work.items);
  const double size = work.relative_size / items;
  const double least = std::min(1.0, size * size);
  const double most = std::max(1.0, size * size);
  Figure figure = one;
  *figure.value *= items * std::max(1.0, size);
  if (figure.low) *figure.low *= items * least;
  if (figure.high) *figure.high *= items * most;
  figure.method += fmt::format(
      "; {} of {}", work.items == 1 ? "one item" : fmt::format("{} items", work.items), work.basis);
  if (std::abs(size - 1) > 1e-9) {
    figure.method += fmt::format(
        ", this run's inputs hold {:.3g} times as many elements: the interval covers costs that "
        "grow with "
        "their square",
        size);
  }
  return figure;
}

Result<model::Inspection> inspect_with_shapes(Context& context, const model::Model& model,
                                              const engine::InputGuess& guess,
                                              const model::ShapeTable& known) {
  auto runtime = WATTWISE_TRY(context.runtime());
  const auto shapes =
      WATTWISE_TRY(engine::infer_shapes(runtime, context.env(), model, guess, known));
  return model::inspect(model, shapes);
}

}  // namespace wattwise::deploy
