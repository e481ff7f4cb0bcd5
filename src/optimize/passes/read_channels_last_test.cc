// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize {
namespace {

using testing::count_nodes;
using testing::kBlocks8;
using testing::ModelBuilder;
using testing::run_pass;
using Ints = std::vector<int64_t>;

ModelBuilder image_model(const Ints& image, testing::Attributes attributes) {
  ModelBuilder b(12);
  b.input("x", image);
  b.random("w", {4, image[3], 5, 3});
  b.random("bias", {4});
  b.node("Transpose", {"x"}, "t", {{"perm", Ints{0, 3, 1, 2}}});
  b.node("Conv", {"t", "w", "bias"}, "y", std::move(attributes));
  b.output("y");
  return b;
}

TEST(ReadChannelsLast, FoldsTheTransposeIntoTheWindow) {
  ModelBuilder b = image_model(
      {-1, 12, 11, 3},
      {{"strides", Ints{2, 2}}, {"kernel_shape", Ints{5, 3}}, {"pads", Ints{1, 1, 2, 0}}});
  testing::as_constant_nodes(b.model().graph);
  const auto result = run_pass("read_channels_last", b.model(), {1, 3}, kBlocks8);
  EXPECT_EQ(count_nodes(result.model, "Transpose"), 0);
}

TEST(ReadChannelsLast, TakesFreeWidthsAndDefaults) {
  ModelBuilder b = image_model({2, 12, -1, 2}, {{"dilations", Ints{2, 1}}});
  const auto result = run_pass("read_channels_last", b.model(), {7, 10}, kBlocks8);
  EXPECT_EQ(count_nodes(result.model, "Transpose"), 0);
}

TEST(ReadChannelsLast, LeavesWhatItCannotWrite) {
  const auto changed = [](const Ints& image, testing::Attributes attributes) {
    ModelBuilder b = image_model(image, std::move(attributes));
    return run_pass("read_channels_last", b.model(), {12}, kBlocks8).outcome.changed;
  };
  EXPECT_EQ(changed({1, -1, 12, 3}, {}), 0) << "a free height";
  EXPECT_EQ(changed({1, 12, 12, 3}, {{"dilations", Ints{1, 2}}}), 0) << "gaps between columns";
  EXPECT_EQ(changed({1, 12, 12, 3}, {{"auto_pad", std::string("SAME_UPPER")}}), 0);
  EXPECT_EQ(changed({1, 12, 12, 8}, {}), 0) << "many channels";
}

TEST(ReadChannelsLast, LeavesTransposesThatOthersRead) {
  ModelBuilder b = image_model({1, 12, 12, 3}, {});
  b.output("t");
  EXPECT_EQ(run_pass("read_channels_last", b.model(), {1}, kBlocks8).outcome.changed, 0);
}

TEST(ReadChannelsLast, IsForProvidersWithBlocksOnly) {
  ModelBuilder b = image_model({1, 12, 12, 3}, {});
  EXPECT_EQ(run_pass("read_channels_last", b.model(), {1}, {0}).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize
