// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

/// Normalizes x + y, spelled out or by name.
ModelBuilder normalized_sum(const std::string& y, bool spelled_out) {
  ModelBuilder b(17);
  b.input("x", {1, -1, 8});
  b.input("y", {1, -1, 8});
  b.random("shift", {8});
  b.random("scale", {8});
  b.node("Add", {"x", y}, "s");
  if (spelled_out) {
    b.floats("two", {}, {2});
    b.floats("epsilon", {}, {1e-5F});
    const std::vector<int64_t> last = {-1};
    b.node("ReduceMean", {"s"}, "mean", {{"axes", last}});
    b.node("Sub", {"s", "mean"}, "d");
    b.node("Pow", {"d", "two"}, "d2");
    b.node("ReduceMean", {"d2"}, "variance", {{"axes", last}});
    b.node("Add", {"variance", "epsilon"}, "v");
    b.node("Sqrt", {"v"}, "deviation");
    b.node("Div", {"d", "deviation"}, "n");
    b.node("Mul", {"n", "scale"}, "z");
  } else {
    b.node("LayerNormalization", {"s", "scale"}, "z");
  }
  b.output("z");
  return b;
}

TEST(KeepSumsApart, BeforeALayerNormalization) {
  for (const bool spelled_out : {false, true}) {
    const auto result =
        run_pass("keep_sums_apart", normalized_sum("y", spelled_out).model(), {1, 5});
    EXPECT_EQ(result.outcome.changed, 1);
    EXPECT_EQ(count_nodes(result.model, "Sum"), 1);
  }
}

TEST(KeepSumsApart, AConstantStaysWithItsProduct) {
  const auto result = run_pass("keep_sums_apart", normalized_sum("shift", false).model());
  EXPECT_EQ(result.outcome.changed, 0);
}

TEST(KeepSumsApart, OtherSumsStay) {
  ModelBuilder b(17);
  b.input("x", {1, 4, 8});
  b.input("y", {1, 4, 8});
  b.node("Add", {"x", "y"}, "s");
  b.node("ReduceMean", {"s"}, "z", {{"axes", std::vector<int64_t>{-1}}});
  b.output("z");
  EXPECT_EQ(run_pass("keep_sums_apart", b.model()).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
