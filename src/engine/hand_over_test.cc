// SPDX-License-Identifier: Apache-2.0
#include "engine/hand_over.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/temporary_folder.h"
#include "engine/hollow.h"
#include "engine/session.h"
#include "model/load.h"
#include "model/save.h"
#include "model/test_models.h"

namespace wattwise::engine {
namespace {

constexpr int64_t kWidth = 2048;  // 16.8 MB of weights: beyond what goes over as one buffer
const size_t kSize = kWidth;

/// A large model in a folder, read from there.
class HandOver : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = *TemporaryFolder::create(system_env());
    runtime_ = *load_runtime(system_env(), {});
    path_ = join_path(folder_->path(), "model.onnx");
  }

  model::Model saved(const std::string& data_file = "") {
    const auto made = model::dense_like(kWidth, kWidth);
    EXPECT_TRUE(model::save(system_env(), made, path_, data_file).has_value());
    return *model::load(system_env(), path_);
  }

  /// How many weights the runtime is handed, of those that it does not read from the files.
  size_t handed(const model::Model& model) {
    OrtSessionOptions* options = nullptr;
    const StatusPtr made(ort_api().CreateSessionOptions(&options));
    const SessionOptionsPtr owned(options);
    HandedWeights weights;
    const auto skeleton = hand_over(model, reachable_files(system_env(), model), options, weights);
    EXPECT_TRUE(skeleton.has_value()) << skeleton.error().to_string();
    EXPECT_LT(skeleton->size(), kSize * sizeof(float) * 2) << "weights are left out";
    return weights.values.size();
  }

  std::string answer(const model::Model& model, bool map) {
    SessionOptions options;
    options.map_weights = map;
    const auto session = open_session(runtime_, system_env(), model, "the model", options);
    EXPECT_TRUE(session.has_value()) << session.error().to_string();
    const Tensor x = make_float_tensor({1, kWidth}, model::random_floats(kSize, 1));
    const auto outputs = (*session)->run({{"x", x}});
    EXPECT_TRUE(outputs.has_value()) << outputs.error().to_string();
    return std::string(outputs->at("y").data.as_text());
  }

  std::unique_ptr<TemporaryFolder> folder_;
  std::shared_ptr<Runtime> runtime_;
  std::string path_;
};

TEST_F(HandOver, WeightsOfAFileAreReadFromThere) {
  const auto model = saved();
  EXPECT_EQ(handed(model), 0U);
  EXPECT_EQ(answer(model, true), answer(model, false)) << "wherever they lie in the file";
}

TEST_F(HandOver, SoAreThoseOfADataFileBesideIt) {
  const auto model = saved("weights.bin");
  ASSERT_EQ(model.sources.size(), 2U);
  EXPECT_EQ(handed(model), 0U);
  EXPECT_EQ(answer(model, true), answer(model, false));
}

TEST_F(HandOver, WhatWasMadeSinceIsHandedOverInMemory) {
  auto model = saved();
  const auto made =
      model::make_float_constant("w", {kWidth, kWidth}, model::random_floats(kSize * kSize, 9));
  const std::string before = answer(model, true);
  model.graph.initializers[0].data = made.data;
  EXPECT_EQ(handed(model), 1U);
  EXPECT_NE(answer(model, true), before);
  EXPECT_EQ(answer(model, true), answer(model, false));
}

TEST_F(HandOver, AFileThatWasReplacedIsNotRead) {
  const auto model = saved();
  const std::string before = answer(model, true);
  auto other = model::dense_like(kWidth, kWidth);
  other.graph.initializers[0].data =
      model::make_float_constant("w", {kWidth, kWidth}, model::random_floats(kSize * kSize, 9))
          .data;
  ASSERT_TRUE(model::save(system_env(), other, path_).has_value());
  EXPECT_TRUE(reachable_files(system_env(), model).empty());
  EXPECT_EQ(answer(model, true), before) << "what was mapped is still there";
}

TEST_F(HandOver, AFileThatIsGoneIsNotRead) {
  const auto model = saved();
  const std::string before = answer(model, true);
  ASSERT_TRUE(system_env().remove(path_).has_value());
  EXPECT_EQ(answer(model, true), before);
}

TEST_F(HandOver, AModelOpensAsItWasRead) {
  const auto model = saved();
  const auto session = open_as_read(runtime_, system_env(), model, path_, {});
  ASSERT_TRUE(session.has_value()) << session.error().to_string();
  const Tensor x = make_float_tensor({1, kWidth}, model::random_floats(kSize, 1));
  EXPECT_EQ((*session)->run({{"x", x}})->at("y").data.as_text(), answer(model, false));
}

TEST_F(HandOver, AModelThatCannotBeOpenedSaysWhatItsFileSays) {
  auto broken = model::dense_like(kWidth, kWidth);
  broken.graph.nodes[0].op_type = "NoSuchOperator";
  ASSERT_TRUE(model::save(system_env(), broken, path_).has_value());
  const auto model = *model::load(system_env(), path_);
  const auto as_read = open_as_read(runtime_, system_env(), model, path_, {});
  const auto by_path = open_session(runtime_, system_env(), path_, {});
  ASSERT_FALSE(as_read.has_value());
  ASSERT_FALSE(by_path.has_value());
  EXPECT_EQ(as_read.error().to_string(), by_path.error().to_string());
}

TEST(FeedZeros, AllWeightsShareOnePieceOfMemory) {
  const auto model = model::text_like();
  const auto fed = feed_zeros(model);
  ASSERT_TRUE(fed.has_value());
  ASSERT_EQ(fed->zeros.size(), 2U) << "the initializers";
  const Tensor& table = fed->zeros.at("table");
  const Tensor& w1 = fed->zeros.at("w1");
  EXPECT_EQ(table.data.data(), w1.data.data());
  EXPECT_EQ(table.shape, (std::vector<int64_t>{200, 64}));
  EXPECT_EQ(w1.data.size(), 64U * 48 * 4);
  const auto values = table.values<float>();
  EXPECT_TRUE(std::all_of(values.begin(), values.end(), [](float x) { return x == 0; }));
  EXPECT_TRUE(fed->model.graph.initializers.empty());
  EXPECT_EQ(fed->model.graph.inputs.size(), model.graph.inputs.size() + 2);
}

TEST(FeedZeros, AWeightThatIsAnOutputStaysInTheGraph) {
  auto model = model::text_like();
  model.graph.outputs.push_back(model::make_value("table", DataType::kFloat, {200, 64}));
  const auto fed = feed_zeros(model);
  ASSERT_TRUE(fed.has_value());
  EXPECT_FALSE(fed->zeros.contains("table"));
  EXPECT_TRUE(fed->zeros.contains("w1"));
}

}  // namespace
}  // namespace wattwise::engine
