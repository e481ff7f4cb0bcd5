// SPDX-License-Identifier: Apache-2.0
#include "runtime/batches.h"

#include <gtest/gtest.h>

#include <numeric>

namespace wattwise::runtime {
namespace {

/// y = 2 x, and the sum of all that one call got; remembers the sizes of its batches.
class Doubler final : public engine::Session {
 public:
  explicit Doubler(bool sums) : sums_(sums) {}
  Result<TensorMap> run(const TensorMap& inputs) const override {
    const Tensor& x = inputs.at("x");
    batches.push_back(x.shape[0]);
    std::vector<float> doubled;
    for (const float value : x.values<float>()) doubled.push_back(2 * value);
    TensorMap outputs{{"y", make_float_tensor(x.shape, doubled)}};
    const float sum = std::accumulate(doubled.begin(), doubled.end(), 0.0F);
    if (sums_) outputs["sum"] = make_float_tensor({}, std::vector{sum});
    return outputs;
  }
  const std::vector<PortInfo>& inputs() const override { return ports_; }
  const std::vector<PortInfo>& outputs() const override { return ports_; }
  const std::string& provider() const override { return name_; }
  const std::vector<Decision>& decisions() const override { return decisions_; }
  Result<std::string> end_profiling() override { return name_; }

  mutable std::vector<int64_t> batches;

 private:
  bool sums_;
  std::vector<PortInfo> ports_;
  std::string name_;
  std::vector<Decision> decisions_;
};

const std::vector<float> kTen = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

TEST(Batches, PartsGiveTheSameAnswerAsTheWhole) {
  const TensorMap inputs{{"x", make_float_tensor({5, 2}, kTen)},
                         {"rate", make_int64_tensor({1}, std::vector<int64_t>{16000})}};
  const Doubler session(false);
  std::vector<Decision> decisions;
  const auto outputs = run_in_batches(session, inputs, {5, 2}, decisions);
  ASSERT_TRUE(outputs.has_value());
  EXPECT_EQ(session.batches, (std::vector<int64_t>{2, 2, 1}));
  EXPECT_EQ(outputs->at("y").shape, (std::vector<int64_t>{5, 2}));
  EXPECT_EQ(outputs->at("y").values<float>()[9], 18);
  ASSERT_EQ(decisions.size(), 1u);
  EXPECT_EQ(decisions[0].action, "split_batch");
}

TEST(Batches, AnOutputOverAllRowsKeepsThemTogether) {
  const TensorMap inputs{{"x", make_float_tensor({5, 2}, kTen)}};
  const Doubler session(true);
  std::vector<Decision> decisions;
  const auto outputs = run_in_batches(session, inputs, {5, 2}, decisions);
  ASSERT_TRUE(outputs.has_value());
  EXPECT_EQ(outputs->at("sum").values<float>()[0], 90);
  EXPECT_EQ(decisions.at(0).action, "keep_batch");
}

TEST(Batches, TheConfigurationSaysHowMany) {
  InferenceOptimizationConfig config;
  config.optimal_batch_size = 8;
  EXPECT_EQ(batch_size(config), 8);
  config.batch_inference_when_possible = false;
  EXPECT_EQ(batch_size(config), 1);
}

}  // namespace
}  // namespace wattwise::runtime
