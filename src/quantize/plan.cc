// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "model/graph_edit.h"
#include "model/inspect.h"
#include "model/node_macs.h"
#include "quantize/formats.h"
#include "quantize/methods/methods.h"

namespace wattwise::quantize {
namespace {

/// Share of the multiplications from which on nothing is left for ranges of convolutions.
constexpr double kAlmostAll = 0.999;

/// What can be said of a model before anything is made.
struct Estimate {
  double integer_share =
      0;  ///< of the multiplications, by matrices and LSTMs with constant weights
  double weight_only_ns = 0;
  double dynamic_ns = 0;
};

Estimate estimate(const model::Model& model, const model::ShapeTable& shapes,
                  const PlanRequest& request) {
  const auto& [requested, config, has_calibration_data] = request;
  model::Model copy = model::clone(model);
  std::vector<Decision> told_by_the_method;
  const auto weights = find_marked_weights(copy, config, told_by_the_method);
  std::unordered_set<const Weight*> recurrences;
  Estimate out;
  double integer = 0;
  const bool may_stay = slow_products({requested, false}, config) == SlowProducts::kLeave;
  for (const Weight& weight : weights) {
    if (recurrences.contains(&weight)) continue;
    const Weight* recurrence = find_recurrence(weights, weight);
    if (recurrence) recurrences.insert(recurrence);
    const FormatQuery query{weight, recurrence, shapes, multiplies_bytes(copy, config)};
    const double as_float = format_ns(query, Format::kFloat);
    const auto at_best = [&](double ns) { return may_stay ? std::min(ns, as_float) : ns; };
    const double stored = at_best(format_ns(query, Format::kInt8));
    out.weight_only_ns += stored;
    out.dynamic_ns +=
        has_dynamic_format(query) ? at_best(format_ns(query, Format::kDynamic)) : stored;
    if (!has_dynamic_format(query)) continue;
    for (const WeightReader& reader : weight.readers) {
      integer += static_cast<double>(model::node_macs(*reader.node, shapes).value_or(0));
    }
  }
  const auto total = static_cast<double>(model::inspect(model, shapes).macs);
  out.integer_share = total > 0 ? integer / total : 0;
  return out;
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

/// The faster of the two by estimate, then the other.
void choose_faster(Plan& plan, std::string_view requested, const Estimate& estimate) {
  const bool dynamic = estimate.dynamic_ns < estimate.weight_only_ns;
  const char* winner = dynamic ? "dynamic" : "weight_only";
  const char* loser = dynamic ? "weight_only" : "dynamic";
  if (plan.methods.empty()) {
    const std::string why = fmt::format(
        "matrices and LSTMs with constant weights are {:.0f} % of the multiplications; the "
        "weights' "
        "operators are estimated to take {:.0f} us with integer products of ranges found at run "
        "time, {:.0f} us with integer weights alone",
        estimate.integer_share * 100, estimate.dynamic_ns / 1000, estimate.weight_only_ns / 1000);
    plan.decisions.push_back({"choose", winner, fmt::format("{} -> {}", requested, why)});
    plan.decisions.push_back(
        {"reject", loser,
         dynamic ? "it is estimated to be slower" : "nothing in the model gains by it"});
    plan.decisions.push_back(
        {"reject", "int4", "rounding to 4 bits costs more accuracy than int8; ask for it by name"});
  }
  plan.methods.emplace_back(winner);
}

void add_once(std::vector<std::string>& methods, std::string_view name) {
  if (std::find(methods.begin(), methods.end(), name) == methods.end()) methods.emplace_back(name);
}

}  // namespace

Int4Blocking int4_blocking(const QuantizationConfig& config) {
  const std::string& size = config.int4_block_size;
  Int4Blocking blocking{0, config.int4_symmetric};
  std::from_chars(size.data(), size.data() + size.size(), blocking.block);  // "auto" leaves 0
  return blocking;
}

bool wants_one_scale(const QuantizationConfig& config) {
  return config.weight_granularity == "tensor";
}

WeightRange weight_range(const QuantizationConfig& config) {
  return config.weight_range == "full" ? WeightRange::kFull : WeightRange::kPairAware;
}

bool wants_speed(const QuantizationConfig& config) {
  return config.objective == "latency" || config.objective == "energy";
}

SlowProducts slow_products(const SpeedRequest& request, const QuantizationConfig& config) {
  if (request.method != "auto" && request.method != "int8") {
    return request.is_timed ? SlowProducts::kTake : SlowProducts::kTell;
  }
  return wants_speed(config) ? SlowProducts::kLeave : SlowProducts::kTake;
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
    const Estimate known = estimate(model, shapes, request);
    if (requested == "auto" && config.objective == "size" && known.integer_share > 0) {
      choose_smallest(plan);
    } else {
      if (has_calibration_data && known.integer_share < kAlmostAll) choose_static(plan, requested);
      choose_faster(plan, requested, known);
    }
    // What the first choice loses may be too much; not every layer is to blame.
    if (requested == "auto") plan.methods.insert(plan.methods.begin() + 1, "mixed");
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
  add_once(plan.methods, "fp16");  // half the bytes at hardly any loss
  add_once(plan.methods, "none");
  return plan;
}

}  // namespace wattwise::quantize
