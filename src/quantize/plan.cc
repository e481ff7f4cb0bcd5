// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/inspect.h"
#include "quantize/quantize.h"

namespace wattwise::quantize {
namespace {

/// Share of the multiplications from which on matrix products decide the speed.
constexpr double kDominantShare = 0.5;
/// Share from which on nothing is left for ranges of convolutions.
constexpr double kAlmostAll = 0.999;

double matmul_share(const model::Inspection& inspection) {
  double matmul = 0;
  double total = 0;
  for (const model::NodeCost& node : inspection.nodes) {
    const auto macs = static_cast<double>(node.macs.value_or(0));
    total += macs;
    if (node.op_type == "MatMul" && node.weight_bytes > 0) matmul += macs;
  }
  return total > 0 ? matmul / total : 0;
}

/// For the smallest file: 4 bits first, as far as the accuracy limit lets them pass.
void choose_smallest(Plan& plan) {
  plan.methods = {"int4", "weight_only"};
  plan.decisions.push_back({"choose", "int4", "auto -> the objective is size"});
  plan.decisions.push_back(
      {"reject", "dynamic", "stores 8 bits for each weight; 4 are tried first, then 8"});
}

/// With calibration data, convolutions gain by integers too.
void choose_static(Plan& plan, std::string_view requested) {
  plan.methods.emplace_back("static");
  plan.decisions.push_back(
      {"choose", "static",
       fmt::format("{} -> there is calibration data, and convolutions to use it for", requested)});
}

void choose(Plan& plan, std::string_view requested, double share) {
  const bool dynamic = share >= kDominantShare;
  plan.methods.emplace_back(dynamic ? "dynamic" : "weight_only");
  if (plan.methods.size() > 1) return;
  const std::string why = fmt::format(
      "products with constant matrices are {:.0f} % of the multiplications", share * 100);
  plan.decisions.push_back(
      {"choose", plan.methods.front(), fmt::format("{} -> {}", requested, why)});
  plan.decisions.push_back(
      {"reject", dynamic ? "weight_only" : "dynamic",
       dynamic ? why + ", which integer arithmetic speeds up"
               : why + "; integer convolution with run-time ranges is slower than float"});
  plan.decisions.push_back(
      {"reject", "int4", "rounding to 4 bits costs more accuracy than int8; ask for it by name"});
}

void add_once(std::vector<std::string>& methods, std::string_view name) {
  if (std::find(methods.begin(), methods.end(), name) == methods.end()) methods.emplace_back(name);
}

}  // namespace

WeightRange weight_range(const QuantizationConfig& config) {
  return config.weight_range == "full" ? WeightRange::kFull : WeightRange::kPairAware;
}

Result<Plan> plan(const model::Model& model, const model::ShapeTable& shapes,
                  const PlanRequest& request) {
  const auto& [requested, config, has_calibration_data] = request;
  Plan plan;
  if (requested == "static" && !has_calibration_data) {
    return Error(ErrorCode::kInvalidArgument,
                 "static quantization needs calibration data: pass samples of the inputs that the "
                 "application will give, or use dynamic, weight_only, int8 or int4");
  }
  if (requested == "auto" || requested == "int8") {
    const double share = matmul_share(model::inspect(model, shapes));
    if (requested == "auto" && config.objective == "size" && share > 0) {
      choose_smallest(plan);
    } else {
      if (has_calibration_data && share < kAlmostAll) choose_static(plan, requested);
      choose(plan, requested, share);
    }
  } else {
    plan.methods.emplace_back(WATTWISE_TRY(find_method(requested))->name);
    // Where ranges for the whole run do not pay, those of every run may.
    if (requested == "static") plan.methods.emplace_back("dynamic");
  }
  if (plan.methods.front() == "none") return plan;
  const std::string fallback = config.fallback_method == "auto" || config.fallback_method == "int8"
                                   ? "weight_only"
                                   : config.fallback_method;
  if (fallback == "static" && !has_calibration_data) {
    plan.decisions.push_back({"reject", fallback, "it needs calibration data"});
  } else if (find_method(fallback)) {
    add_once(plan.methods, fallback);
  } else {
    plan.decisions.push_back({"reject", fallback, "this version has no such fallback method"});
  }
  add_once(plan.methods, "none");
  return plan;
}

}  // namespace wattwise::quantize
