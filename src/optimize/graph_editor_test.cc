// SPDX-License-Identifier: Apache-2.0
#include "optimize/graph_editor.h"

#include <gtest/gtest.h>

#include "engine/runtime_testing.h"
#include "model/save.h"
#include "model/test_models.h"
#include "optimize/optimize.h"

namespace wattwise::optimize {
namespace {

PassContext context() { return {engine::runtime_for_tests(), system_env(), {}}; }

TEST(GraphEditor, NodesStayWhereTheyAreUntilItFinishes) {
  model::Model model = model::dense_like();
  const size_t count = model.graph.nodes.size();
  ModelEditor editor(model);
  GraphEditor& graph = editor.graphs().front();
  model::Node& first = *graph.nodes().front();
  EXPECT_EQ(&first, &model.graph.nodes.front());
  const std::string made = first.outputs[0];
  model::Node& copy = graph.add(make_node("Identity", {first.inputs[0]}, graph.unique(made)));
  EXPECT_EQ(graph.nodes().back(), &copy);
  graph.remove(copy);
  graph.add(make_node("Relu", {first.inputs[0]}, graph.unique("relu")));
  EXPECT_EQ(model.graph.nodes.size(), count);
  EXPECT_EQ(graph.nodes().size(), count + 1);
  ASSERT_TRUE(editor.finish().has_value());
  ASSERT_EQ(model.graph.nodes.size(), count + 1);
  EXPECT_EQ(model.graph.nodes.front().outputs[0], made);
  EXPECT_EQ(model.graph.nodes.back().op_type, "Relu");
}

TEST(GraphEditor, FinishingWhatWasNotTouchedChangesNothing) {
  model::Model model = model::text_like();
  const std::string before = *model::serialize(model);
  ModelEditor editor(model);
  EXPECT_EQ(editor.graphs().front().nodes().size(), model.graph.nodes.size());
  ASSERT_TRUE(editor.finish().has_value());
  EXPECT_TRUE(editor.is_untouched());
  EXPECT_EQ(*model::serialize(model), before);
}

TEST(PassContext, OpensTheModelAnewUnlessNothingHappenedToIt) {
  model::Model model = model::dense_like();
  PassContext passes = context();
  ModelEditor* const first = &passes.open(model);
  ASSERT_TRUE(first->finish().has_value());
  passes.keep_open();
  EXPECT_EQ(&passes.open(model), first);
  passes.keep_open();
  first->graphs().front().unique("a name that is gone");
  EXPECT_TRUE(passes.open(model).is_untouched()) << "a name was given away";
}

TEST(PassContext, ForgetsWhatItOpenedWhenTheModelHasChanged) {
  model::Model model = model::dense_like();
  PassContext passes = context();
  passes.open(model);
  model.graph.nodes.push_back(make_node("Relu", {"x"}, "added"));
  passes.close();
  passes.keep_open();
  EXPECT_NE(passes.open(model).graphs().front().producer("added"), nullptr);
}

TEST(PassContext, ForgetsWhatAPassThatOpenedNothingMayHaveMoved) {
  model::Model model = model::dense_like();
  PassContext passes = context();
  passes.open(model);
  passes.keep_open();
  model.graph.nodes = std::vector<model::Node>(model.graph.nodes);
  passes.keep_open();
  EXPECT_EQ(passes.open(model).graphs().front().producer("m"), &model.graph.nodes.front());
}

}  // namespace
}  // namespace wattwise::optimize
