// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/graph_editor.h"
#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

/// The target of the model's only Reshape; empty if it is no constant.
Ints target_of_reshape(const model::Model& model) {
  for (const model::Node& node : model.graph.nodes) {
    if (!node.is("Reshape")) continue;
    for (const model::Constant& constant : model.graph.initializers) {
      if (constant.name == node.inputs[1]) return *integer_values(constant);
    }
  }
  return {};
}

/// y = Reshape(x, sizes 0 and 1 of `of`, 2, 4), with x [?, ?, 8].
ModelBuilder parted(const std::string& of, const Ints& axes = {0, 1}) {
  ModelBuilder b(13);
  b.input("x", {-1, -1, 8});
  b.integers("first", {}, {axes[0]});
  b.integers("second", {1}, {axes[1]});
  b.integers("after", {1}, {axes[1] + 1});
  b.integers("zero", {1}, {0});
  b.integers("heads", {2}, {2, 4});
  b.node("Relu", {"x"}, "r");
  b.node("Shape", {of}, "s");
  b.node("Gather", {"s", "first"}, "b");
  b.node("Unsqueeze", {"b", "zero"}, "bs");
  b.node("Slice", {"s", "second", "after", "zero"}, "ns");
  b.node("Concat", {"bs", "ns", "heads"}, "t", {{"axis", int64_t{0}}});
  b.node("Reshape", {"r", "t"}, "y");
  b.output("y");
  return b;
}

TEST(CopyReshapedAxes, SizesOfWhatIsReshapedAreCopied) {
  const auto result = run_pass("copy_reshaped_axes", parted("r").model(), {3, 5});
  EXPECT_EQ(target_of_reshape(result.model), (Ints{0, 0, 2, 4}));
}

TEST(CopyReshapedAxes, SizesOfOtherValuesOrPlacesAreNot) {
  EXPECT_EQ(run_pass("copy_reshaped_axes", parted("x").model(), {3}).outcome.changed, 0);
  EXPECT_EQ(run_pass("copy_reshaped_axes", parted("r", {1, 0}).model(), {3}).outcome.changed, 0);
  ModelBuilder strict = parted("r");
  strict.model().opset_imports[0].version = 14;
  strict.model().graph.nodes.back().set_attribute("allowzero", int64_t{1});
  EXPECT_EQ(run_pass("copy_reshaped_axes", strict.model(), {3}).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
