// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

constexpr char kRecognizeLayerNorm[] = "recognize_layer_norm";

struct Form {
  bool centers = true;
  bool multiplies = true;  ///< d d instead of d^2
  bool inverts = true;     ///< d (1 / s) instead of d / s
  bool scales = true;
};

ModelBuilder normalization(Form form) {
  ModelBuilder b(13);
  b.input("x", {2, -1, 8});
  b.floats("two", {}, {2});
  b.floats("epsilon", {1}, {1e-5F});
  b.random("gamma", {8});
  const Attributes last = {{"axes", std::vector<int64_t>{-1}}};
  if (form.centers) b.node("ReduceMean", {"x"}, "mean", last), b.node("Sub", {"x", "mean"}, "d");
  const std::string d = form.centers ? "d" : "x";
  b.node(form.multiplies ? "Mul" : "Pow", {d, form.multiplies ? d : "two"}, "square");
  b.node("ReduceMean", {"square"}, "variance", last);
  b.node("Add", {"variance", "epsilon"}, "sum");
  b.node("Sqrt", {"sum"}, "root");
  if (form.inverts) b.node("Reciprocal", {"root"}, "inverse");
  b.node(form.inverts ? "Mul" : "Div", {d, form.inverts ? "inverse" : "root"}, "n");
  b.node("Mul", {"n", form.scales ? "gamma" : "x"}, "y");
  b.output("y");
  return b;
}

TEST(RecognizeLayerNorm, WritesPowAndDiv) {
  for (const bool centers : {false, true}) {
    for (const bool multiplies : {false, true}) {
      const auto b = normalization({.centers = centers, .multiplies = multiplies}).model();
      const auto result = run_pass(kRecognizeLayerNorm, b, {3});
      EXPECT_EQ(count_nodes(result.model, "Pow"), 1);
      EXPECT_EQ(count_nodes(result.model, "Div"), 1);
      EXPECT_EQ(count_nodes(result.model, "Reciprocal"), 0);
      EXPECT_EQ(run_pass(kRecognizeLayerNorm, result.model, {3}).outcome.changed, 0);
    }
  }
}

TEST(RecognizeLayerNorm, LeavesWhatTheRuntimeKnowsOrCannotFuse) {
  const auto known = normalization({.multiplies = false, .inverts = false});
  EXPECT_EQ(run_pass(kRecognizeLayerNorm, ModelBuilder(known).model(), {3}).outcome.changed, 0);
  EXPECT_EQ(
      run_pass(kRecognizeLayerNorm, normalization({.scales = false}).model(), {3}).outcome.changed,
      0);
  ModelBuilder shared = normalization({});
  shared.output("root");
  EXPECT_EQ(run_pass(kRecognizeLayerNorm, shared.model(), {3}).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
