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

/// The other weight of its LSTM, if the format multiplies that in integers.
const Weight* recurrence_in(Format format, const std::vector<Weight>& weights,
                            const Weight& weight) {
  return format == Format::kDynamic ? find_recurrence(weights, weight) : nullptr;
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

void keep_float_where_faster(const MethodContext& context, Format format,
                             std::vector<Weight>& weights, std::vector<Decision>& decisions) {
  if (!context.only_where_faster) return;
  for (Weight& weight : weights) {
    const Weight* recurrence = recurrence_in(format, weights, weight);
    const FormatQuery query{weight, recurrence, context.shapes, format == Format::kInt8};
    if (!is_matrix(weight) && !recurrence) continue;
    const double integer_ns = format_ns(query, format);
    const double float_ns = format_ns(query, Format::kFloat);
    if (integer_ns < float_ns) continue;
    weight.keeps_float = true;
    decisions.push_back({"multiply_in_float", weight.name,
                         fmt::format("it is small: integers are estimated to take {:.1f} us, "
                                     "floats {:.1f} us; it is stored in 8 bits only",
                                     integer_ns / 1000, float_ns / 1000)});
  }
}

}  // namespace wattwise::quantize
