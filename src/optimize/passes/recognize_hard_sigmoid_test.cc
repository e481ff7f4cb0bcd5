// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

constexpr char kRecognizeHardSigmoid[] = "recognize_hard_sigmoid";

ModelBuilder start_hard_sigmoid(int64_t opset) {
  ModelBuilder b(opset);
  b.input("x0", {2, -1});
  b.floats("ten", {}, {10});
  b.node("Mul", {"x0", "ten"}, "x");
  b.floats("three", {1}, {3});
  b.floats("six", {}, {6});
  b.floats("zero", {}, {0});
  b.floats("sixth", {}, {1.0F / 6});
  b.floats("fifth", {}, {0.2F});
  b.floats("half", {}, {0.5F});
  b.floats("one", {}, {1});
  return b;
}

void clip(ModelBuilder& b, int64_t opset, const std::string& from, const std::string& to) {
  if (opset < 11) {
    b.node("Clip", {from}, to, {{"min", 0.0F}, {"max", 6.0F}});
  } else {
    b.node("Clip", {from, "zero", "six"}, to);
  }
}

TEST(RecognizeHardSigmoid, FindsHardSwishInEveryOrder) {
  for (const int64_t opset : {9, 13}) {
    for (int form = 0; form < 5; ++form) {
      ModelBuilder b = start_hard_sigmoid(opset);
      b.node("Add", {form % 2 ? "x" : "three", form % 2 ? "three" : "x"}, "a");
      clip(b, opset, "a", "c");
      if (form == 0) b.node("Mul", {"x", "c"}, "m"), b.node("Div", {"m", "six"}, "y");
      if (form == 1) b.node("Mul", {"c", "x"}, "m"), b.node("Mul", {"sixth", "m"}, "y");
      if (form == 2) b.node("Div", {"c", "six"}, "m"), b.node("Mul", {"m", "x"}, "y");
      if (form == 3) b.node("Mul", {"c", "sixth"}, "m"), b.node("Mul", {"x", "m"}, "y");
      if (form == 4) b.node("Div", {"x", "six"}, "m"), b.node("Mul", {"m", "c"}, "y");
      b.output("y");
      const auto result = run_pass(kRecognizeHardSigmoid, b.model(), {50});
      EXPECT_EQ(count_nodes(result.model, "HardSigmoid"), 1) << form;
      EXPECT_EQ(result.model.graph.nodes.size(), 3U) << form;
      EXPECT_EQ(run_pass(kRecognizeHardSigmoid, result.model).outcome.changed, 0);
    }
  }
}

TEST(RecognizeHardSigmoid, FindsTheLineWithSlopeAndWhatIsLeftOfAScale) {
  ModelBuilder b = start_hard_sigmoid(13);
  b.node("Mul", {"x", "fifth"}, "m");
  b.node("Add", {"half", "m"}, "a");
  b.node("Clip", {"a", "zero", "one"}, "y");
  b.node("Sub", {"x", "half"}, "s");
  b.node("Clip", {"s", "zero", "six"}, "c");
  b.node("Mul", {"c", "half"}, "z");
  b.output("y");
  b.output("z");
  const auto result = run_pass(kRecognizeHardSigmoid, b.model(), {50});
  EXPECT_EQ(count_nodes(result.model, "HardSigmoid"), 2);
  EXPECT_EQ(result.model.graph.nodes.size(), 4U);
}

TEST(RecognizeHardSigmoid, LeavesReluSixAloneAndFactorsWithoutAPlace) {
  ModelBuilder b = start_hard_sigmoid(13);
  b.random("row", {3});
  b.input("x3", {2, 3});
  b.node("Clip", {"x", "zero", "six"}, "relu6");
  b.node("Add", {"x", "three"}, "a");
  b.node("Clip", {"a", "zero", "six"}, "c");
  b.node("Div", {"c", "six"}, "d");
  b.node("Add", {"x3", "row"}, "a3");
  b.node("Clip", {"a3", "zero", "one"}, "c3");
  b.node("Add", {"x", "three"}, "below");
  b.node("Clip", {"below", "half", "six"}, "low");
  for (const char* name : {"relu6", "c", "d", "c3", "low"}) b.output(name);
  EXPECT_EQ(run_pass(kRecognizeHardSigmoid, b.model(), {50}).outcome.changed, 0);
}

TEST(RecognizeHardSigmoid, WorksInBranchesOnCapturedConstants) {
  ModelBuilder inner(13);
  inner.node("Add", {"x", "three"}, "a");
  inner.node("Clip", {"a", "zero", "six"}, "c");
  inner.node("Mul", {"x", "c"}, "m");
  inner.node("Div", {"m", "six"}, "then");
  inner.output("then");
  ModelBuilder other(13);
  other.node("Relu", {"x"}, "else");
  other.output("else");
  ModelBuilder b = start_hard_sigmoid(13);
  b.floats("three", {}, {3});
  std::erase_if(b.model().graph.initializers, [](const model::Constant& constant) {
    return constant.name == "three" && constant.shape.size() == 1;
  });
  b.input("flag", {}, DataType::kBool);
  b.node("If", {"flag"}, "y",
         {{"then_branch", std::make_shared<model::Graph>(inner.model().graph)},
          {"else_branch", std::make_shared<model::Graph>(other.model().graph)}});
  b.output("y");
  const auto result = run_pass(kRecognizeHardSigmoid, b.model(), {50});
  EXPECT_EQ(count_nodes(result.model, "HardSigmoid"), 1);
  EXPECT_EQ(count_nodes(result.model, "Clip"), 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
