// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "core/memory_env.h"
#include "input/prepare_inputs.h"
#include "input/test_fixtures.h"

namespace wattwise::input {
namespace {

using Ids = std::vector<int64_t>;
using Ports = std::vector<PortInfo>;

RawInput item(const std::string& name, Tensor tensor) { return {{{name, std::move(tensor)}}}; }

Tensor ids(const Ids& values) {
  return make_int64_tensor({1, static_cast<int64_t>(values.size())}, values);
}

Result<PreparedInputs> batch(const Ports& ports, const std::vector<RawInput>& items) {
  const MemoryEnv env;
  return prepare_batch(env, {}, ports, items);
}

Ports masked() {
  return {port("input_ids", DataType::kInt32, {-1, -1}),
          port("attention_mask", DataType::kInt64, {-1, -1})};
}

TEST(PrepareBatchTest, ShorterTextsAreFilledUpBehindTheMask) {
  const auto prepared = batch(masked(), {item("", ids({1, 2, 3})), item("", ids({4}))});
  ASSERT_TRUE(prepared) << prepared.error().to_string();
  EXPECT_EQ(prepared->tensors.at("input_ids").shape, (Ids{2, 3}));
  EXPECT_EQ(to_vector<int32_t>(prepared->tensors.at("input_ids")),
            (std::vector<int32_t>{1, 2, 3, 4, 0, 0}));
  EXPECT_EQ(to_vector<int64_t>(prepared->tensors.at("attention_mask")), (Ids{1, 1, 1, 1, 0, 0}));
}

TEST(PrepareBatchTest, DecisionsAreSaidOnce) {
  const auto prepared =
      batch(masked(), {item("", ids({1})), item("", ids({4})), item("", ids({5}))});
  EXPECT_EQ(prepared.value().decisions.size(), 2U);  // the cast to int32 and the mask
}

TEST(PrepareBatchTest, WithoutAMaskLengthsMustAgree) {
  const Ports ports = {port("input_ids", DataType::kInt64, {-1, -1})};
  const auto differing = batch(ports, {item("", ids({1, 2, 3})), item("", ids({4}))});
  EXPECT_CONTAINS(failure(differing, ErrorCode::kInvalidArgument), "one by one");
  EXPECT_EQ(
      batch(ports, {item("", ids({1})), item("", ids({4}))}).value().tensors.at("input_ids").shape,
      (Ids{2, 1}));
}

TEST(PrepareBatchTest, AFixedBatchIsRefusedEvenForEqualItems) {
  const Ports ports = {port("x", DataType::kFloat, {1, 2})};
  const Tensor row = make_float_tensor({1, 2}, std::vector<float>{1, 2});
  const auto stacked = batch(ports, {item("x", row), item("x", row)});
  EXPECT_CONTAINS(failure(stacked, ErrorCode::kInvalidArgument),
                  "x takes float [1, 2], not a batch");
}

TEST(PrepareBatchTest, SettingsAreSharedByAllItems) {
  const Ports ports = {port("x", DataType::kFloat, {-1, 2}), port("sr", DataType::kInt64, {}),
                       port("scale", DataType::kFloat, {1})};
  const auto make = [](int64_t rate) {
    return RawInput{{{"x", make_float_tensor({1, 2}, std::vector<float>{1, 2})},
                     {"sr", make_int64_tensor({}, Ids{rate})},
                     {"scale", make_float_tensor({1}, std::vector<float>{3})}}};
  };
  const auto prepared = batch(ports, {make(8000), make(8000)});
  ASSERT_TRUE(prepared) << prepared.error().to_string();
  EXPECT_EQ(prepared->tensors.at("x").shape, (Ids{2, 2}));
  EXPECT_TRUE(prepared->tensors.at("sr").shape.empty());
  EXPECT_EQ(prepared->tensors.at("scale").shape, (Ids{1}));
  failure(batch(ports, {make(8000), make(16000)}), ErrorCode::kInvalidArgument);
}

TEST(PrepareBatchTest, OneItemStaysAsItIs) {
  EXPECT_EQ(batch(masked(), {item("", ids({1, 2}))}).value().tensors.at("input_ids").shape,
            (Ids{1, 2}));
}

TEST(PrepareBatchTest, TheFirstBadItemIsTheError) {
  const auto prepared = batch(masked(), {item("", ids({1})), item("nonsense", ids({1}))});
  EXPECT_CONTAINS(failure(prepared, ErrorCode::kInvalidArgument), "nonsense");
}

TEST(StackTest, JoinsAlongTheFirstAxis) {
  const auto stacked =
      stack({{{"x", ids({1, 2})}}, {{"x", make_int64_tensor({2, 2}, Ids{3, 4, 5, 6})}}});
  EXPECT_EQ(stacked.value().at("x").shape, (Ids{3, 2}));
  EXPECT_EQ(to_vector<int64_t>(stacked.value().at("x")), (Ids{1, 2, 3, 4, 5, 6}));
}

TEST(StackTest, RefusesWhatDiffers) {
  failure(stack({{{"x", ids({1})}}, {{"x", ids({1, 2})}}}), ErrorCode::kInvalidArgument);
  failure(stack({{{"x", ids({1})}}, {{"y", ids({1})}}}), ErrorCode::kInvalidArgument);
  failure(stack({{{"x", ids({1})}}, {{"x", ids({1})}, {"y", ids({1})}}}),
          ErrorCode::kInvalidArgument);
  const Tensor other = make_float_tensor({1, 1}, std::vector<float>{1});
  failure(stack({{{"x", ids({1})}}, {{"x", other}}}), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(stack({}).value().empty());
}

TEST(StackTest, JoinsWords) {
  const Tensor a{DataType::kString, {1}, {}, {"a"}};
  const Tensor b{DataType::kString, {1}, {}, {"b"}};
  EXPECT_EQ(stack({{{"w", a}}, {{"w", b}}}).value().at("w").strings,
            (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace wattwise::input
