// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "optimize/optimize.h"

// For tests of passes only: small models in a few lines, and the proof that a pass kept them equal.
namespace wattwise::optimize::testing {

/// Convolutions are laid out in blocks of so many channels.
inline constexpr TargetFacts kBlocks8{8};
inline constexpr TargetFacts kBlocks16{16};

using Attributes = std::vector<std::pair<std::string, model::AttributeValue>>;

/// Builds a model node by node.
///     ModelBuilder b(13);
///     b.input("x", {1, 8, -1});
///     b.random("w", {8, 8, 3});
///     b.node("Conv", {"x", "w"}, "h", {{"pads", std::vector<int64_t>{1, 1}}});
///     b.output("h");
class ModelBuilder {
 public:
  explicit ModelBuilder(int64_t opset, int64_t ir_version = 8);
  /// -1 is a free dimension.
  void input(const std::string& name, std::vector<int64_t> shape, DataType type = DataType::kFloat);
  void output(const std::string& name, DataType type = DataType::kFloat);
  /// An initializer of floats in [-1, 1], different for each name.
  void random(const std::string& name, std::vector<int64_t> shape);
  void floats(const std::string& name, std::vector<int64_t> shape, std::vector<float> values);
  void integers(const std::string& name, std::vector<int64_t> shape, std::vector<int64_t> values);
  model::Node& node(const std::string& op, std::vector<std::string> inputs,
                    const std::string& output, Attributes attributes = {});
  model::Model& model() { return model_; }

 private:
  model::Model model_;
};

/// A float constant as a `Constant` node instead of an initializer.
void as_constant_nodes(model::Graph& graph);

/// Number of nodes of this type in all graphs.
int64_t count_nodes(const model::Model& model, std::string_view op);

/// What a pass made of a model.
struct PassResult {
  model::Model model;
  PassOutcome outcome;
};

/// Runs one pass of the table on a copy and expects (by GoogleTest) a valid graph, ports as they
/// were, and outputs equal within the row's bound plus float rounding for random inputs of each
/// size in `sizes`, which free dimensions take.
PassResult run_pass(std::string_view name, const model::Model& model,
                    std::initializer_list<int64_t> sizes = {4}, TargetFacts target = {});

/// The same with the whole table, round after round.
PassResult run_all_passes(const model::Model& model, std::initializer_list<int64_t> sizes = {4},
                          TargetFacts target = {});

}  // namespace wattwise::optimize::testing
