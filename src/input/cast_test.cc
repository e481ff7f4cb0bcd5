// SPDX-License-Identifier: Apache-2.0
#include "input/cast.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "input/test_fixtures.h"

namespace wattwise::input {
namespace {

template <typename T>
Result<Tensor> cast(DataType from, const std::vector<T>& values, DataType to) {
  return cast_tensor(make_tensor(from, {static_cast<int64_t>(values.size())}, values), to);
}

template <typename T>
std::string refusal(DataType from, const std::vector<T>& values, DataType to) {
  return failure(cast(from, values, to), ErrorCode::kInvalidArgument);
}

TEST(CastTest, RoundsDoublesToFloats) {
  const auto floats = cast<double>(DataType::kDouble, {0.1, -2, 1e300 * 0}, DataType::kFloat);
  EXPECT_EQ(to_vector<float>(floats.value()), (std::vector<float>{0.1F, -2, 0}));
  EXPECT_EQ(floats.value().type, DataType::kFloat);
}

TEST(CastTest, RefusesOverflowOfFloats) {
  EXPECT_CONTAINS(refusal<double>(DataType::kDouble, {1, 1e39}, DataType::kFloat), "element 1");
  refusal<float>(DataType::kFloat, {65520}, DataType::kFloat16);
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(cast<double>(DataType::kDouble, {infinity}, DataType::kFloat));
}

TEST(CastTest, WholeNumbersMustFit) {
  EXPECT_EQ(to_vector<int32_t>(
                cast<int64_t>(DataType::kInt64, {-7, 2147483647}, DataType::kInt32).value()),
            (std::vector<int32_t>{-7, 2147483647}));
  refusal<int64_t>(DataType::kInt64, {2147483648}, DataType::kInt32);
  refusal<int8_t>(DataType::kInt8, {-1}, DataType::kUint64);
  refusal<int64_t>(DataType::kInt64, {(int64_t{1} << 53) + 1}, DataType::kDouble);
  refusal<int32_t>(DataType::kInt32, {(1 << 24) + 1}, DataType::kFloat);
  refusal<uint64_t>(DataType::kUint64, {~uint64_t{0}}, DataType::kFloat);
  EXPECT_TRUE(cast<int32_t>(DataType::kInt32, {1 << 24}, DataType::kFloat));
}

TEST(CastTest, FloatsBecomeWholeNumbersOnlyWhereTheyAre) {
  EXPECT_EQ(to_vector<int64_t>(cast<float>(DataType::kFloat, {101, -3}, DataType::kInt64).value()),
            (std::vector<int64_t>{101, -3}));
  refusal<float>(DataType::kFloat, {0.5F}, DataType::kInt64);
  refusal<float>(DataType::kFloat, {std::nanf("")}, DataType::kInt64);
  refusal<double>(DataType::kDouble, {9223372036854775808.0}, DataType::kInt64);
}

TEST(CastTest, TruthsAreZeroAndOne) {
  EXPECT_EQ(to_vector<int64_t>(cast<uint8_t>(DataType::kBool, {0, 1}, DataType::kInt64).value()),
            (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(to_vector<uint8_t>(cast<int64_t>(DataType::kInt64, {1, 0}, DataType::kBool).value()),
            (std::vector<uint8_t>{1, 0}));
  refusal<int64_t>(DataType::kInt64, {2}, DataType::kBool);
}

// Bit patterns from IEEE 754's binary16 format.
TEST(CastTest, HalvesRoundToTheNearestEven) {
  const std::vector<float> values = {0,    -0.0F, 1,        -2,       65504,      0.1F,
                                     2049, 2051,  0x1p-24F, 0x1p-25F, 0x1.8p-24F, 65519};
  const std::vector<uint16_t> bits = {0,      0x8000, 0x3c00, 0xc000, 0x7bff, 0x2e66,
                                      0x6800, 0x6802, 0x0001, 0x0000, 0x0002, 0x7bff};
  const auto halves = cast(DataType::kFloat, values, DataType::kFloat16);
  EXPECT_EQ(to_vector<uint16_t>(halves.value()), bits);
}

TEST(CastTest, EveryHalfSurvivesTheWayThroughFloat) {
  std::vector<uint16_t> bits;
  for (int i = 0; i < 65536; ++i) {
    const bool is_nan = (i & 0x7c00) == 0x7c00 && (i & 0x3ff) != 0;
    if (!is_nan) bits.push_back(static_cast<uint16_t>(i));
  }
  const auto floats = cast(DataType::kFloat16, bits, DataType::kFloat);
  const auto back = cast_tensor(floats.value(), DataType::kFloat16);
  EXPECT_EQ(to_vector<uint16_t>(back.value()), bits);
}

TEST(CastTest, RefusesTypesWithoutNumbers) {
  const Tensor words{DataType::kString, {1}, {}, {"a"}};
  EXPECT_CONTAINS(failure(cast_tensor(words, DataType::kFloat), ErrorCode::kUnsupported), "string");
}

TEST(CastTest, TheSameTypeIsTheSameStorage) {
  const std::vector<float> one = {1};
  const Tensor tensor = make_float_tensor({1}, one);
  EXPECT_EQ(cast_tensor(tensor, DataType::kFloat).value().data.data(), tensor.data.data());
}

}  // namespace
}  // namespace wattwise::input
