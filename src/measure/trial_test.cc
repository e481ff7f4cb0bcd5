// SPDX-License-Identifier: Apache-2.0
#include "measure/trial.h"

#include <gtest/gtest.h>

#include <functional>

#include "core/memory_env.h"

namespace wattwise::measure {
namespace {

/// A session whose inferences take CPU time of the environment's clock, which stands otherwise.
class TickingSession final : public engine::Session {
 public:
  TickingSession(Env& env, std::function<double()> milliseconds)
      : env_(env), milliseconds_(std::move(milliseconds)) {}
  const std::vector<PortInfo>& inputs() const override { return ports_; }
  const std::vector<PortInfo>& outputs() const override { return ports_; }
  const std::string& provider() const override { return provider_; }
  const std::vector<Decision>& decisions() const override { return decisions_; }
  Result<TensorMap> run(const TensorMap&) const override {
    env_.sleep_for(Seconds(milliseconds_() / 1e3));
    return TensorMap();
  }
  Result<std::string> end_profiling() override { return std::string(); }

 private:
  Env& env_;
  std::function<double()> milliseconds_;
  std::vector<PortInfo> ports_;
  std::vector<Decision> decisions_;
  std::string provider_;
};

class TrialTest : public ::testing::Test {
 protected:
  /// Sessions of one model; the n-th that is opened takes `costs[n]` ms, later ones the last.
  Opener opener(std::vector<double> costs, int& opened) {
    return [this, costs = std::move(costs), &opened]() -> Result<std::unique_ptr<engine::Session>> {
      env_.sleep_for(Seconds(0.05));
      const double cost = costs[std::min(static_cast<size_t>(opened), costs.size() - 1)];
      ++opened;
      return std::unique_ptr<engine::Session>(new TickingSession(env_, [cost] { return cost; }));
    };
  }
  Outcome try_costs(std::vector<double> before, std::vector<double> after) {
    opened_before_ = opened_after_ = 0;
    auto outcome = try_change(env_,
                              {opener(std::move(before), opened_before_),
                               opener(std::move(after), opened_after_), inputs_},
                              {});
    EXPECT_TRUE(outcome.has_value()) << outcome.error().to_string();
    return *outcome;
  }

  MemoryEnv env_;
  TensorMap inputs_;
  int opened_before_ = 0;
  int opened_after_ = 0;
};

TEST_F(TrialTest, OnlyAnIntervalBeyondTheMarginIsSlower) {
  EXPECT_TRUE(second_is_slower({0.9, 0.85, 0.97}));
  EXPECT_FALSE(second_is_slower({0.97, 0.96, 0.985})) << "within the margin";
  EXPECT_FALSE(second_is_slower({0.8, 0.5, 1.01})) << "not sure";
  EXPECT_FALSE(second_is_slower({1.2, 1.1, 1.3}));
}

TEST_F(TrialTest, AFasterChangeIsTimedOnce) {
  const Outcome outcome = try_costs({10}, {8});
  EXPECT_FALSE(outcome.slower);
  EXPECT_NEAR(outcome.timing.ratio.median, 1.25, 1e-6);
  EXPECT_NEAR(outcome.timing.first_ms.median, 10, 1e-6);
  EXPECT_NEAR(outcome.timing.second_ms.median, 8, 1e-6);
  EXPECT_EQ(opened_before_, 1);
  EXPECT_EQ(opened_after_, 1);
}

TEST_F(TrialTest, ASlowerChangeIsConfirmedWithNewSessions) {
  const Outcome outcome = try_costs({10, 10}, {12.5, 11});
  EXPECT_TRUE(outcome.slower);
  EXPECT_NEAR(outcome.timing.ratio.median, 10 / 11.0, 1e-6) << "the milder of both timings";
  EXPECT_NEAR(outcome.timing.first_ms.median, 10, 1e-6);
  EXPECT_NEAR(outcome.timing.second_ms.median, 11, 1e-6);
  EXPECT_EQ(opened_before_, 2);
  EXPECT_EQ(opened_after_, 2);
}

TEST_F(TrialTest, APairOfSessionsThatIsOnlyUnluckyIsNotSlower) {
  const Outcome outcome = try_costs({10, 10}, {12.5, 10});
  EXPECT_FALSE(outcome.slower);
  EXPECT_NEAR(outcome.timing.ratio.median, 1, 1e-6);
}

TEST_F(TrialTest, TimeIsBoundedAndFewPairsAreEnoughForSlowModels) {
  TimingOptions options;
  options.budget = Seconds(1);
  options.min_pairs = kFewestPairs;
  int opened[2] = {0, 0};
  const Seconds start = env_.monotonic_now();
  const auto outcome =
      try_change(env_, {opener({5000}, opened[0]), opener({2500}, opened[1]), inputs_}, options);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->timing.pairs, kFewestPairs);
  EXPECT_LT((env_.monotonic_now() - start).count(), 1 + (kFewestPairs + 1) * 7.5);
}

TEST_F(TrialTest, CanBeCancelledBetweenPairs) {
  int asked = 0;
  TimingOptions options;
  options.progress = [&](std::string_view, double) { return ++asked < 4; };
  int opened[2] = {0, 0};
  const auto outcome =
      try_change(env_, {opener({10}, opened[0]), opener({10}, opened[1]), inputs_}, options);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code(), ErrorCode::kExhausted);
  EXPECT_EQ(asked, 4);
  const auto loads = compare_loads(env_, opener({10}, opened[0]), opener({10}, opened[1]), options);
  EXPECT_FALSE(loads.has_value()) << "still cancelled";
}

TEST_F(TrialTest, LoadsAreTimedInTurn) {
  int opened[2] = {0, 0};
  TimingOptions options;
  options.min_pairs = kFewestPairs;
  options.budget = Seconds(0);
  const auto loads = compare_loads(env_, opener({1}, opened[0]), opener({1}, opened[1]), options);
  ASSERT_TRUE(loads.has_value());
  EXPECT_EQ(loads->timing.pairs, kFewestPairs);
  EXPECT_EQ(opened[0], kFewestPairs);
  EXPECT_NEAR(loads->timing.first_ms.median, 50, 1e-6);
  EXPECT_NEAR(loads->timing.ratio.median, 1, 1e-6);
  EXPECT_FALSE(loads->first_bytes.has_value()) << "this environment does not tell";
}

}  // namespace
}  // namespace wattwise::measure
