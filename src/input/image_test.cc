// SPDX-License-Identifier: Apache-2.0
#include "input/image.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/memory_env.h"
#include "input/array_file.h"
#include "input/test_fixtures.h"

namespace wattwise::input {
namespace {

using Shape = std::vector<int64_t>;

/// Only resizes.
ImageTransform resize_to(int64_t height, int64_t width, Filter filter) {
  ImageTransform transform;
  transform.height = height;
  transform.width = width;
  transform.filter = filter;
  transform.rescale = false;
  transform.normalize = false;
  return transform;
}

ImageTransform untouched() {
  ImageTransform transform = resize_to(1, 1, Filter::kNearest);
  transform.resize = false;
  return transform;
}

constexpr ImageLayout kChannelsLast{true, 3, std::nullopt, std::nullopt};
constexpr ImageLayout kChannelsFirst{false, 3, std::nullopt, std::nullopt};

Tensor bytes_image(Shape shape, const std::vector<uint8_t>& values) {
  return make_tensor(DataType::kUint8, std::move(shape), values);
}

TEST(ReadImageTest, DecodesWhatPillowWrote) {
  const auto image = read_image(system_env(), fixture("picture.png"));
  ASSERT_TRUE(image) << image.error().to_string();
  const Tensor expected = read_npz(system_env(), fixture("resampled.npz")).value().at("picture");
  EXPECT_EQ(image->shape, expected.shape);
  EXPECT_EQ(to_vector<uint8_t>(*image), to_vector<uint8_t>(expected));
}

TEST(ReadImageTest, GreyBecomesColour) {
  MemoryEnv env;
  env.put_file("/a.pgm", "P5 2 1 255\n\x10\x20");
  const auto image = read_image(env, "/a.pgm");
  ASSERT_TRUE(image) << image.error().to_string();
  EXPECT_EQ(image->shape, (Shape{1, 2, 3}));
  EXPECT_EQ(to_vector<uint8_t>(*image), (std::vector<uint8_t>{16, 16, 16, 32, 32, 32}));
}

TEST(ReadImageTest, RefusesDamageAndGiants) {
  MemoryEnv env;
  const std::string good = fixture_content("picture.png");
  for (const size_t length : {size_t{0}, size_t{4}, size_t{30}, good.size() / 2}) {
    env.put_file("/a.png", good.substr(0, length));
    EXPECT_CONTAINS(failure(read_image(env, "/a.png"), ErrorCode::kCorrupt), "/a.png");
  }
  env.put_file("/a.pgm", "P5 16000000 16000000 255\nx");
  EXPECT_CONTAINS(failure(read_image(env, "/a.pgm"), ErrorCode::kUnsupported), "make it smaller");
}

/// The largest difference from what PIL made of the same picture.
double worst_difference(const TensorMap& arrays, const std::string& name, Filter filter) {
  const Tensor& expected = arrays.at(name);
  const ImageTransform transform = resize_to(expected.shape[0], expected.shape[1], filter);
  const auto result = transform_image(arrays.at("picture"), transform, kChannelsLast);
  const auto values = to_vector<float>(result.value());
  const auto wanted = to_vector<uint8_t>(expected);
  EXPECT_EQ(values.size(), wanted.size());
  double worst = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    worst = std::max(worst, std::fabs(static_cast<double>(values[i]) - wanted[i]));
  }
  return worst;
}

TEST(ResampleTest, AgreesWithPillow) {
  const TensorMap arrays = read_npz(system_env(), fixture("resampled.npz")).value();
  const std::vector<std::pair<std::string, Filter>> filters = {{"nearest", Filter::kNearest},
                                                               {"lanczos", Filter::kLanczos},
                                                               {"bilinear", Filter::kBilinear},
                                                               {"bicubic", Filter::kBicubic}};
  for (const auto& [name, filter] : filters) {
    const double tolerance = filter == Filter::kNearest ? 0 : 1;
    EXPECT_LE(worst_difference(arrays, name + "_5x6", filter), tolerance) << name;
    EXPECT_LE(worst_difference(arrays, name + "_20x17", filter), tolerance) << name;
  }
}

TEST(TransformImageTest, GreyAgreesWithPillow) {
  const TensorMap arrays = read_npz(system_env(), fixture("resampled.npz")).value();
  const auto grey = transform_image(arrays.at("picture"), untouched(),
                                    ImageLayout{false, 1, std::nullopt, std::nullopt});
  const auto expected = to_vector<uint8_t>(arrays.at("grey"));
  EXPECT_EQ(grey.value().shape, (Shape{1, 1, 9, 14}));
  EXPECT_EQ(to_vector<float>(grey.value()), std::vector<float>(expected.begin(), expected.end()));
}

TEST(TransformImageTest, RescalesAndNormalizesPerChannel) {
  ImageTransform transform = untouched();
  transform.rescale = true;
  transform.normalize = true;
  transform.mean = {0, 0.5, 1};
  transform.std = {1, 0.5, 0.25};
  const Tensor image = bytes_image({1, 2, 3}, {0, 0, 0, 255, 255, 255});
  const Tensor first = transform_image(image, transform, kChannelsFirst).value();
  EXPECT_EQ(first.shape, (Shape{1, 3, 1, 2}));
  EXPECT_EQ(to_vector<float>(first), (std::vector<float>{0, 1, -1, 1, -4, 0}));
  const Tensor last = transform_image(image, transform, kChannelsLast).value();
  EXPECT_EQ(last.shape, (Shape{1, 1, 2, 3}));
  EXPECT_EQ(to_vector<float>(last), (std::vector<float>{0, -1, -4, 1, 1, 0}));
}

TEST(TransformImageTest, SwapsToBlueFirst) {
  ImageTransform transform = untouched();
  transform.swap_to_bgr = true;
  const Tensor image = bytes_image({1, 1, 3}, {1, 2, 3});
  EXPECT_EQ(to_vector<float>(transform_image(image, transform, kChannelsFirst).value()),
            (std::vector<float>{3, 2, 1}));
}

TEST(TransformImageTest, DropsTheFourthChannel) {
  const Tensor image = bytes_image({1, 1, 4}, {1, 2, 3, 200});
  EXPECT_EQ(to_vector<float>(transform_image(image, untouched(), kChannelsFirst).value()),
            (std::vector<float>{1, 2, 3}));
}

TEST(TransformImageTest, CropsTheMiddleAndFillsWithBlack) {
  ImageTransform transform = untouched();
  transform.center_crop = {1, 4};
  const Tensor image = bytes_image({3, 2, 1}, {1, 2, 3, 4, 5, 6});
  const Tensor cropped =
      transform_image(image, transform, ImageLayout{false, 1, std::nullopt, std::nullopt}).value();
  EXPECT_EQ(cropped.shape, (Shape{1, 1, 1, 4}));
  EXPECT_EQ(to_vector<float>(cropped), (std::vector<float>{0, 3, 4, 0}));
}

TEST(TransformImageTest, RefusesOtherArrays) {
  const std::vector<int64_t> numbers = {1, 2, 3};
  const auto wrong_type =
      transform_image(make_int64_tensor({1, 1, 3}, numbers), untouched(), kChannelsFirst);
  EXPECT_CONTAINS(failure(wrong_type, ErrorCode::kInvalidArgument), "not int64 [1, 1, 3]");
  const auto wrong_rank = transform_image(bytes_image({1, 2}, {1, 2}), untouched(), kChannelsFirst);
  EXPECT_CONTAINS(failure(wrong_rank, ErrorCode::kInvalidArgument), "not uint8 [1, 2]");
}

ImageSize planned(ImageSize image, const ImageTransform& transform,
                  std::optional<int64_t> height = {}, std::optional<int64_t> width = {}) {
  return plan_image(image, transform, ImageLayout{false, 3, height, width}).result;
}

TEST(PlanImageTest, FollowsTheShortestEdge) {
  ImageTransform transform;
  transform.shortest_edge = 224;
  EXPECT_EQ(planned({480, 640}, transform), (ImageSize{224, 298}));  // int(224 * 640 / 480)
  EXPECT_EQ(planned({640, 480}, transform), (ImageSize{298, 224}));
  transform.longest_edge = 256;
  EXPECT_EQ(planned({480, 640}, transform), (ImageSize{192, 256}));
  transform.center_crop = {224, 224};
  EXPECT_EQ(planned({480, 640}, transform), (ImageSize{224, 224}));
}

TEST(PlanImageTest, OneSideKeepsTheAspectRatio) {
  ImageTransform transform;
  transform.height = 48;
  EXPECT_EQ(planned({24, 160}, transform), (ImageSize{48, 320}));
  transform.height.reset();
  transform.width = 80;
  EXPECT_EQ(planned({24, 160}, transform), (ImageSize{12, 80}));
}

TEST(PlanImageTest, FixedSizesOfTheModelWin) {
  ImageTransform transform;
  transform.height = transform.width = 224;
  EXPECT_FALSE(plan_image({9, 9}, transform, kChannelsFirst).layout_overrides);
  EXPECT_TRUE(plan_image({9, 9}, transform, {false, 3, 96, 96}).layout_overrides);
  EXPECT_EQ(planned({480, 640}, transform, 96, 128), (ImageSize{96, 128}));
  EXPECT_EQ(planned({24, 160}, untouched(), 48), (ImageSize{48, 320}));
}

TEST(PlanImageTest, ASmallerModelSeesTheSameCrop) {
  ImageTransform transform;
  transform.shortest_edge = 256;
  transform.center_crop = {224, 224};
  const ImagePlan plan = plan_image({512, 512}, transform, {false, 3, 112, 112});
  EXPECT_EQ(plan.resized, (ImageSize{128, 128}));
  EXPECT_EQ(plan.result, (ImageSize{112, 112}));
}

}  // namespace
}  // namespace wattwise::input
