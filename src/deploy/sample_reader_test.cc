// SPDX-License-Identifier: Apache-2.0
#include "deploy/sample_reader.h"

#include <gtest/gtest.h>

#include "deploy/prepare.h"
#include "deploy/test_folder.h"
#include "input/array_file.h"

namespace wattwise::deploy {
namespace {

Sample make_sample(float value) {
  const std::vector<float> values(4, value);
  return {{{{"x", make_float_tensor({1, 4}, values)}}, {}}, {value}};
}

/// Samples 0, 1, 2, ... of a caller, who counts the passes and what is asked for.
struct Caller {
  int count;
  int passes = 0;
  int given = 0;

  SampleData data(bool once = false) {
    SampleData out;
    out.once = once;
    out.start = [this, once]() -> Result<SampleStream> {
      if (once && passes > 0) return Error(ErrorCode::kInternal, "started twice");
      ++passes;
      return SampleStream([this, next = 0]() mutable -> Result<std::optional<Sample>> {
        if (next == count) return std::optional<Sample>();
        ++given;
        return std::optional(make_sample(static_cast<float>(next++)));
      });
    };
    return out;
  }
};

class Reader : public FolderTest {
 protected:
  static SampleReader open(const SampleData& data) {
    auto made = SampleReader::open(system_env(), format(), data);
    EXPECT_TRUE(made.has_value()) << made.error().to_string();
    return std::move(*made);
  }
  static SampleFormat format() {
    return {{{"x", DataType::kFloat, {-1, 4}, {"n", ""}, false}}, {}};
  }
  static std::vector<float> all(const SampleReader& reader, const quantize::SampleGrid& grid = {}) {
    const auto next = reader.start(grid);
    EXPECT_TRUE(next.has_value());
    std::vector<float> values;
    for (auto sample = (*next)(); sample.has_value() && *sample; sample = (*next)()) {
      values.push_back((*sample)->tensors.at("x").values<float>()[0]);
      EXPECT_EQ((*sample)->labels, std::vector<double>{values.back()});
    }
    return values;
  }
  static std::vector<float> some(const SampleReader& reader, size_t limit) {
    const auto spread = reader.spread(limit);
    EXPECT_TRUE(spread.has_value());
    std::vector<float> values;
    for (const auto& sample : spread->samples) {
      values.push_back(sample.tensors.at("x").values<float>()[0]);
    }
    return values;
  }
};

TEST_F(Reader, PassesAsOftenAsWanted) {
  Caller caller{5};
  const SampleReader reader = open(caller.data());
  const std::vector<float> expected = {0, 1, 2, 3, 4};
  EXPECT_EQ(all(reader), expected);
  EXPECT_EQ(all(reader), expected);
  EXPECT_EQ(caller.passes, 2);
}

TEST_F(Reader, KeepsWhatCanBeReadOnlyOnce) {
  Caller caller{5};
  const std::vector<float> expected = {0, 1, 2, 3, 4};
  const SampleReader reader = open(caller.data(true));
  EXPECT_EQ(all(reader), expected);
  EXPECT_EQ(all(reader), expected);
  EXPECT_EQ(some(reader, 2), (std::vector<float>{0, 2}));
  EXPECT_EQ(caller.given, 5) << "every sample is asked for once";
}

TEST_F(Reader, GivesThoseOfAGridHoweverItReads) {
  Caller again{20};
  Caller once{20};
  const SampleReader passing = open(again.data());
  const SampleReader keeping = open(once.data(true));
  for (const size_t first : {0U, 3U}) {
    const quantize::SampleGrid grid{first, 4};
    std::vector<float> expected;
    for (size_t i = 0; i < 20; ++i) {
      if (grid.holds(i)) expected.push_back(static_cast<float>(i));
    }
    EXPECT_EQ(expected.size(), 5);
    EXPECT_EQ(all(passing, grid), expected);
    EXPECT_EQ(all(keeping, grid), expected);
  }
}

TEST_F(Reader, SpreadsEvenlyOverAnyNumber) {
  for (const int count : {1, 2, 7, 8, 9, 100}) {
    Caller caller{count};
    const std::vector<float> chosen = some(open(caller.data()), 8);
    EXPECT_LE(chosen.size(), 8u) << count;
    EXPECT_GE(chosen.size(), static_cast<size_t>(std::min(count, 5))) << count;
    EXPECT_EQ(chosen.front(), 0);
    for (size_t i = 2; i < chosen.size(); ++i) {
      EXPECT_EQ(chosen[i] - chosen[i - 1], chosen[1] - chosen[0]) << count;
    }
    EXPECT_GE(chosen.back(), static_cast<float>(count) * 0.75F - 1) << count;
    EXPECT_EQ(caller.passes, 1);
  }
}

TEST_F(Reader, SaysWhatIsWrongWithWhichSample) {
  Caller caller{0};
  const auto empty = open(caller.data()).spread(3);
  ASSERT_FALSE(empty.has_value());
  EXPECT_NE(empty.error().to_string().find("there are no samples"), std::string::npos);
  const std::vector<float> three(3);
  ASSERT_TRUE(input::write_npy(system_env(), at("data/a.npy"),
                               make_float_tensor({1, 4}, std::vector<float>(4)))
                  .has_value());
  ASSERT_TRUE(
      input::write_npy(system_env(), at("data/b.npy"), make_float_tensor({3}, three)).has_value());
  SampleData folder;
  folder.path = at("data");
  const auto wrong = open(folder).spread(3);
  ASSERT_FALSE(wrong.has_value());
  EXPECT_NE(wrong.error().to_string().find(at("data/b.npy")), std::string::npos)
      << wrong.error().to_string();
}

TEST_F(Reader, GivesAPreparationItsComparison) {
  const std::string path = save(model::text_like(), "text.onnx");
  const auto made = context(system_env(), options());
  PrepareOptions request;
  request.model_path = path;
  request.bundle = false;
  request.quantization_method = "weight_only";  // which needs no more than the comparison
  int passes = 0;
  request.calibration_data.start = [&]() -> Result<SampleStream> {
    ++passes;
    return SampleStream([next = 0]() mutable -> Result<std::optional<Sample>> {
      if (next == 100) return std::optional<Sample>();
      const std::vector<int64_t> ids = {next % 7, 3, 5, 7, 11, 13, 17, next++ % 5};
      return std::optional(Sample{{{{"", make_int64_tensor({1, 8}, ids)}}, {}}, {}});
    });
  };
  const auto result = prepare(*made, request);
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(result->accuracy.data, "25 of 100 samples from the caller");
  EXPECT_EQ(result->accuracy.samples, 25);
  EXPECT_EQ(passes, 1);
}

}  // namespace
}  // namespace wattwise::deploy
