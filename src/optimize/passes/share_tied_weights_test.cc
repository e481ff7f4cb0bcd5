// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/graph_editor.h"
#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

std::vector<float> transposed(const std::vector<float>& values, size_t rows, size_t columns) {
  std::vector<float> turned(values.size());
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) turned[j * rows + i] = values[i * columns + j];
  }
  return turned;
}

ModelBuilder tied(float difference) {
  ModelBuilder b(13);
  b.input("i", {3}, DataType::kInt64);
  b.random("table", {300, 64});
  const auto values = float_values(b.model().graph.initializers[0]);
  auto turned = transposed(values, 300, 64);
  turned[7777] += difference;
  b.floats("head", {64, 300}, turned);
  b.node("Gather", {"table", "i"}, "rows");
  b.node("MatMul", {"rows", "head"}, "y");
  b.output("y");
  return b;
}

TEST(ShareTiedWeights, KeepsTheTableAndTurnsIt) {
  auto b = tied(0);
  std::swap(b.model().graph.initializers[0], b.model().graph.initializers[1]);
  const auto result = run_pass("share_tied_weights", b.model());
  ASSERT_EQ(result.model.graph.initializers.size(), 1U);
  EXPECT_EQ(result.model.graph.initializers[0].name, "table");
  EXPECT_EQ(count_nodes(result.model, "Transpose"), 1);
}

TEST(ShareTiedWeights, KeepsMatricesThatDifferInOneElement) {
  auto b = tied(0.5F);
  EXPECT_EQ(run_pass("share_tied_weights", b.model()).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
