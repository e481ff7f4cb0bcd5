// SPDX-License-Identifier: Apache-2.0
#include "quantize/float_products.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "model/walk.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

/// Operators whose results are as exact, relative to themselves, as their first inputs are.
constexpr std::array<std::string_view, 25> kKeepSmallValues = {"Abs",
                                                               "Add",
                                                               "Cast",
                                                               "Clip",
                                                               "Div",
                                                               "Expand",
                                                               "Flatten",
                                                               "Gather",
                                                               "Identity",
                                                               "MatMul",
                                                               "Max",
                                                               "Mul",
                                                               "Pow",
                                                               "ReduceL2",
                                                               "ReduceMean",
                                                               "ReduceSum",
                                                               "ReduceSumSquare",
                                                               "Relu",
                                                               "Reshape",
                                                               "Slice",
                                                               "Split",
                                                               "Sqrt",
                                                               "Squeeze",
                                                               "Transpose",
                                                               "Unsqueeze"};

/// Looks for logarithms behind values of one model.
class Logarithms {
 public:
  explicit Logarithms(model::Model& model) : constants_(model.graph) {
    model::for_each_graph(std::as_const(model.graph),
                          [&](const model::Graph& graph, const std::string&) { add(graph); });
  }

  bool exist() const { return exist_; }

  bool lie_behind(const model::Graph& graph, const std::string& value) const {
    std::unordered_set<std::string> seen = {value};
    std::vector<std::string> open = {value};
    while (!open.empty()) {
      const std::string name = std::move(open.back());
      open.pop_back();
      const auto [first, last] = readers_.at(&graph).equal_range(name);
      for (auto it = first; it != last; ++it) {
        const model::Node& node = *it->second;
        if (node.is_standard() && node.op_type == "Log") return true;
        if (!keeps_small_values(graph, node, name)) continue;
        for (const std::string& output : node.outputs) {
          if (seen.insert(output).second) open.push_back(output);
        }
      }
    }
    return false;
  }

 private:
  void add(const model::Graph& graph) {
    auto& readers = readers_[&graph];
    for (const model::Node& node : graph.nodes) {
      exist_ |= node.is_standard() && node.op_type == "Log";
      for (const std::string& input : node.inputs) readers.emplace(input, &node);
    }
  }

  /// Its other inputs are constants: no value comes in that would drown what is small. A square is
  /// the product of a value by itself.
  bool keeps_small_values(const model::Graph& graph, const model::Node& node,
                          const std::string& value) const {
    if (!node.is_standard() || std::find(kKeepSmallValues.begin(), kKeepSmallValues.end(),
                                         node.op_type) == kKeepSmallValues.end()) {
      return false;
    }
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& input) {
      return input.empty() || input == value || constants_.find(graph, input);
    });
  }

  model::ConstantIndex constants_;
  std::unordered_map<const model::Graph*, std::unordered_multimap<std::string, const model::Node*>>
      readers_;
  bool exist_ = false;
};

/// Of the float time of all that reads weights: the estimate does not know more exactly.
constexpr double kWorthTelling = 0.05;

/// What 8-bit weights times float inputs must be estimated to gain to be sure of any: processors
/// differ. MiniLM's products of 64 rows take 0.72 of float's time on a Zen 4, 0.9 on a Xeon with
/// AMX and 1.0 on one without, those of 128 rows 1.09 there.
constexpr double kSureGain = 1.5;

/// What reads a weight, in the format that a method would give it and in float.
struct ProductTimes {
  double integer_ns = 0;
  double float_ns = 0;
  bool multiplies_integers = false;  ///< else both are alike
  bool is_slow() const { return multiplies_integers && integer_ns >= float_ns; }
  double loss_ns() const { return integer_ns - float_ns; }
};

/// The times of several.
struct ProductTotal {
  ProductTimes times;
  int products = 0;   ///< of integers
  std::string worst;  ///< what loses most
  double worst_ns = 0;

  void add(const Weight& weight, const ProductTimes& one) {
    times.integer_ns += one.integer_ns;
    times.float_ns += one.float_ns;
    products += one.multiplies_integers;
    if (one.loss_ns() <= worst_ns) return;
    worst = weight.name;
    worst_ns = one.loss_ns();
  }
};

/// Looks at each weight, for an LSTM that works on integers at both of them together.
template <typename Visit>
void for_each_product(const MethodContext& context, const IntegerProducts& products,
                      const std::vector<Weight>& weights, const Visit& visit) {
  std::unordered_set<const Weight*> recurrences;
  for (size_t i = 0; i < weights.size(); ++i) {
    const Weight& weight = weights[i];
    const Weight* recurrence = products.lstms ? find_recurrence(weights, weight) : nullptr;
    if (recurrence) recurrences.insert(recurrence);
    if (recurrences.contains(&weight)) continue;
    const FormatQuery query{weight, recurrence, context.shapes, products.format == Format::kInt8};
    const bool in_integers = is_matrix(weight) || recurrence;
    const double as_float = format_ns(query, Format::kFloat);
    visit(i, ProductTimes{in_integers ? format_ns(query, products.format) : as_float, as_float,
                          in_integers});
  }
}

}  // namespace

void keep_float_before_logarithms(model::Model& model, std::vector<Weight>& weights,
                                  std::vector<Decision>& decisions) {
  const Logarithms logarithms(model);
  if (!logarithms.exist()) return;
  for (Weight& weight : weights) {
    weight.keeps_float =
        std::any_of(weight.readers.begin(), weight.readers.end(), [&](const WeightReader& reader) {
          return logarithms.lie_behind(*reader.graph, reader.node->outputs[0]);
        });
    if (!weight.keeps_float) continue;
    weight.is_delicate |= weight.rank() > 2;
    decisions.push_back({"multiply_in_float", weight.name,
                         "a logarithm follows, for which the small results matter as much as the "
                         "large ones, and integers round them all by one step"});
  }
}

void keep_float_where_faster(const MethodContext& context, const IntegerProducts& products,
                             std::vector<Weight>& weights, std::vector<Decision>& decisions) {
  if (context.slow_products != SlowProducts::kLeave) return;
  const double sure = products.format == Format::kInt8 ? kSureGain : 1;
  for_each_product(context, products, weights, [&](size_t index, const ProductTimes& times) {
    if (!times.multiplies_integers || times.integer_ns * sure < times.float_ns) return;
    weights[index].keeps_float = true;
    decisions.push_back({"multiply_in_float", weights[index].name,
                         fmt::format("integers are estimated to take {:.1f} us, floats {:.1f} us, "
                                     "which is no sure gain; it is stored in 8 bits only",
                                     times.integer_ns / 1000, times.float_ns / 1000)});
  });
}

void tell_slow_products(const MethodContext& context, const IntegerProducts& products,
                        const std::vector<Weight>& weights, std::vector<Decision>& decisions) {
  if (context.slow_products != SlowProducts::kTell) return;
  ProductTotal all;
  ProductTotal slow;
  for_each_product(context, products, weights, [&](size_t index, const ProductTimes& times) {
    all.add(weights[index], times);
    if (times.is_slow()) slow.add(weights[index], times);
  });
  if (slow.times.loss_ns() <= kWorthTelling * all.times.float_ns) return;
  decisions.push_back(
      {"warn", std::string(products.method),
       fmt::format("{} of {} quantized products are estimated to be slower than in float: {:.1f} "
                   "us in place of {:.1f} us, {} the most; all that reads weights takes {:.1f} us, "
                   "in float {:.1f} us. `auto` leaves such products in float where the objective "
                   "is latency or energy, and `measure` then times the model on this machine",
                   slow.products, all.products, slow.times.integer_ns / 1000,
                   slow.times.float_ns / 1000, slow.worst, all.times.integer_ns / 1000,
                   all.times.float_ns / 1000)});
}

}  // namespace wattwise::quantize
