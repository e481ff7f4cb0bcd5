// SPDX-License-Identifier: Apache-2.0
#include "input/prepare_inputs.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/memory_env.h"
#include "input/array_file.h"
#include "input/test_fixtures.h"

namespace wattwise::input {
namespace {

using Ids = std::vector<int64_t>;
using Ports = std::vector<PortInfo>;

/// Gives the number of letters of each word; ends at `max_tokens`.
class LengthTokenizer final : public Tokenizer {
 public:
  Result<TokenIds> encode(std::string_view text, int64_t max_tokens) const override {
    TokenIds tokens;
    size_t start = 0;
    while (start < text.size()) {
      const size_t end = std::min(text.find(' ', start), text.size());
      tokens.ids.push_back(static_cast<int64_t>(end - start));
      start = end + 1;
    }
    tokens.truncated = max_tokens > 0 && static_cast<int64_t>(tokens.ids.size()) > max_tokens;
    if (tokens.truncated) tokens.ids.resize(static_cast<size_t>(max_tokens));
    tokens.attention_mask.assign(tokens.ids.size(), 1);
    tokens.type_ids.assign(tokens.ids.size(), 0);
    return tokens;
  }
  Result<Padding> padding() const override { return Padding{99, left}; }
  bool left = false;
};

Ports bert() {
  return {port("input_ids", DataType::kInt64, {-1, -1}),
          port("attention_mask", DataType::kInt64, {-1, -1}),
          port("token_type_ids", DataType::kInt64, {-1, -1})};
}

Ports vision() { return {port("pixel_values", DataType::kFloat, {-1, 3, -1, -1})}; }

Ports streaming() {
  return {port("input", DataType::kFloat, {-1, -1}), port("state", DataType::kFloat, {2, -1, 128}),
          port("sr", DataType::kInt64, {})};
}

/// An environment, a preprocessor and what they make of inputs.
class PrepareInputsTest : public testing::Test {
 protected:
  PrepareInputsTest() { preprocessor_.folder = "/m"; }
  Result<PreparedInputs> prepare(const Ports& ports, RawInput raw) {
    return prepare_inputs(env_, preprocessor_, ports, raw);
  }
  TensorMap tensors(const Ports& ports, RawInput raw) {
    auto prepared = prepare(ports, std::move(raw));
    EXPECT_TRUE(prepared) << (prepared ? "" : prepared.error().to_string());
    return prepared ? prepared->tensors : TensorMap();
  }
  std::string refusal(const Ports& ports, RawInput raw,
                      ErrorCode code = ErrorCode::kInvalidArgument) {
    return failure(prepare(ports, std::move(raw)), code);
  }
  void use_tokenizer() { preprocessor_.tokenizer = std::make_shared<LengthTokenizer>(); }
  void use_image_transform() {
    preprocessor_.image.emplace();
    preprocessor_.image->height = preprocessor_.image->width = 2;
  }

  MemoryEnv env_;
  Preprocessor preprocessor_;
};

Tensor frame(std::vector<int64_t> shape) {
  size_t count = 1;
  for (const int64_t dim : shape) count *= static_cast<size_t>(dim);
  return make_tensor(DataType::kUint8, std::move(shape), std::vector<uint8_t>(count, 255));
}

Tensor floats(std::vector<int64_t> shape) {
  size_t count = 1;
  for (const int64_t dim : shape) count *= static_cast<size_t>(dim);
  return make_float_tensor(std::move(shape), std::vector<float>(count, 0.5F));
}

TEST_F(PrepareInputsTest, ABareTextFillsIdsMaskAndTypes) {
  use_tokenizer();
  for (const std::string key : {"", "text", "input_ids"}) {
    const TensorMap found = tensors(bert(), {{{key, "Sample input text"}}});
    EXPECT_EQ(to_vector<int64_t>(found.at("input_ids")), (Ids{6, 5, 4}));
    EXPECT_EQ(found.at("input_ids").shape, (Ids{1, 3}));
    EXPECT_EQ(to_vector<int64_t>(found.at("attention_mask")), (Ids{1, 1, 1}));
    EXPECT_EQ(to_vector<int64_t>(found.at("token_type_ids")), (Ids{0, 0, 0}));
  }
}

TEST_F(PrepareInputsTest, TextWithoutATokenizerNamesTheFile) {
  EXPECT_CONTAINS(refusal(bert(), {{{"", "text"}}}, ErrorCode::kNotFound), "tokenizer.json in /m");
}

TEST_F(PrepareInputsTest, TextForAModelWithoutIdsListsItsInputs) {
  use_tokenizer();
  EXPECT_CONTAINS(refusal(vision(), {{{"", "text"}}}), "pixel_values float [?, 3, ?, ?]");
  EXPECT_CONTAINS(refusal(bert(), {{{"attention_mask", "text"}}}), "not text");
}

TEST_F(PrepareInputsTest, RolesAreFoundUnderOtherNames) {
  use_tokenizer();
  const Ports ports = {port("segment_ids:0", DataType::kInt32, {-1, -1}),
                       port("input_mask:0", DataType::kInt32, {-1, -1}),
                       port("words:0", DataType::kInt32, {-1, -1}),
                       port("position_ids", DataType::kInt64, {-1, -1})};
  const TensorMap found = tensors(ports, {{{"", "a bb"}}});
  EXPECT_EQ(to_vector<int32_t>(found.at("words:0")), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(to_vector<int32_t>(found.at("input_mask:0")), (std::vector<int32_t>{1, 1}));
  EXPECT_EQ(to_vector<int32_t>(found.at("segment_ids:0")), (std::vector<int32_t>{0, 0}));
  EXPECT_EQ(to_vector<int64_t>(found.at("position_ids")), (Ids{0, 1}));
}

TEST_F(PrepareInputsTest, TwoNamelessIntegerMatricesAreNotGuessedAt) {
  use_tokenizer();
  const Ports ports = {port("a", DataType::kInt64, {-1, -1}),
                       port("b", DataType::kInt64, {-1, -1})};
  EXPECT_CONTAINS(refusal(ports, {{{"", "text"}}}), "a int64 [?, ?]; b int64 [?, ?]");
}

TEST_F(PrepareInputsTest, AFixedLengthIsFilledUpOrCutOff) {
  use_tokenizer();
  const Ports ports = {port("input_ids", DataType::kInt64, {1, 4}),
                       port("attention_mask", DataType::kInt64, {1, 4})};
  const TensorMap filled = tensors(ports, {{{"", "a bb"}}});
  EXPECT_EQ(to_vector<int64_t>(filled.at("input_ids")), (Ids{1, 2, 99, 99}));
  EXPECT_EQ(to_vector<int64_t>(filled.at("attention_mask")), (Ids{1, 1, 0, 0}));
  const auto cut = prepare(ports, {{{"", "a a a a a a"}}});
  EXPECT_EQ(to_vector<int64_t>(cut.value().tensors.at("input_ids")), (Ids{1, 1, 1, 1}));
  EXPECT_EQ(cut.value().decisions.at(0).action, "truncate");
}

TEST_F(PrepareInputsTest, TheConfiguredLimitCutsOff) {
  use_tokenizer();
  preprocessor_.max_tokens = 2;
  EXPECT_EQ(tensors(bert(), {{{"", "a a a"}}}).at("input_ids").shape, (Ids{1, 2}));
}

TEST_F(PrepareInputsTest, IdsAloneGetAMaskAndTypes) {
  const auto prepared = prepare(bert(), {{{"", make_int64_tensor({1, 2}, Ids{7, 8})}}});
  ASSERT_TRUE(prepared) << prepared.error().to_string();
  EXPECT_EQ(to_vector<int64_t>(prepared->tensors.at("input_ids")), (Ids{7, 8}));
  EXPECT_EQ(to_vector<int64_t>(prepared->tensors.at("attention_mask")), (Ids{1, 1}));
  EXPECT_EQ(to_vector<int64_t>(prepared->tensors.at("token_type_ids")), (Ids{0, 0}));
  ASSERT_EQ(prepared->decisions.size(), 2U);
  EXPECT_EQ(prepared->decisions[0].action, "fill_input");
  EXPECT_EQ(prepared->decisions[0].subject, "attention_mask");
}

TEST_F(PrepareInputsTest, ADecodersFirstStepHasAnEmptyCache) {
  Ports ports = {port("input_ids", DataType::kInt64, {-1, -1}),
                 port("attention_mask", DataType::kInt64, {-1, -1}),
                 port("position_ids", DataType::kInt64, {-1, -1}),
                 port("past_key_values.0.key", DataType::kFloat, {-1, 4, -1, 8})};
  const Tensor ids = make_int64_tensor({1, 2}, Ids{7, 8});
  TensorMap found = tensors(ports, {{{"", ids}}});
  EXPECT_EQ(found.at("past_key_values.0.key").shape, (Ids{1, 4, 0, 8}));
  found = tensors(ports, {{{"", ids}, {"past_key_values.0.key", floats({1, 4, 3, 8})}}});
  EXPECT_EQ(found.at("attention_mask").shape, (Ids{1, 5}));
  EXPECT_EQ(to_vector<int64_t>(found.at("position_ids")), (Ids{3, 4}));
}

TEST_F(PrepareInputsTest, StateIsNeverInvented) {
  const std::string message = refusal(streaming(), {{{"", floats({1, 576})}}});
  EXPECT_CONTAINS(message, "no value for state float [2, ?, 128] and sr int64 []");
  EXPECT_CONTAINS(message, "the model takes input float [?, ?]; state");
}

TEST_F(PrepareInputsTest, StateByNameIsTaken) {
  const TensorMap found = tensors(streaming(), {{{"audio", floats({576})},
                                                 {"state", floats({2, 1, 128})},
                                                 {"sr", make_int64_tensor({1}, Ids{16000})}}});
  EXPECT_EQ(found.at("input").shape, (Ids{1, 576}));
  EXPECT_TRUE(found.at("sr").shape.empty());
}

TEST_F(PrepareInputsTest, OptionalInputsMayBeLeftOut) {
  Ports ports = vision();
  ports.push_back(port("scale", DataType::kFloat, {1}));
  ports.back().optional_input = true;
  EXPECT_EQ(tensors(ports, {{{"", floats({1, 3, 4, 4})}}}).size(), 1U);
}

TEST_F(PrepareInputsTest, ArraysAreCastAndGivenABatchAxis) {
  const auto prepared = prepare(
      vision(), {{{"", make_tensor(DataType::kDouble, {3, 1, 1}, std::vector<double>{1, 2, 3})}}});
  ASSERT_TRUE(prepared) << prepared.error().to_string();
  EXPECT_EQ(prepared->tensors.at("pixel_values").shape, (Ids{1, 3, 1, 1}));
  EXPECT_EQ(to_vector<float>(prepared->tensors.at("pixel_values")), (std::vector<float>{1, 2, 3}));
  ASSERT_EQ(prepared->decisions.size(), 1U);
  EXPECT_EQ(prepared->decisions[0].action, "cast");
}

TEST_F(PrepareInputsTest, WrongShapesSayWhatIsWanted) {
  const std::string message = refusal(vision(), {{{"pixel_values", floats({1, 4, 4, 3})}}});
  EXPECT_CONTAINS(message, "pixel_values takes float [?, 3, ?, ?], not float [1, 4, 4, 3]");
}

TEST_F(PrepareInputsTest, UnknownNamesGetASuggestion) {
  const std::string message = refusal(vision(), {{{"pixel_value", floats({1, 3, 4, 4})}}});
  EXPECT_CONTAINS(message, "Did you mean \"pixel_values\"?");
}

TEST_F(PrepareInputsTest, AnInputGivenTwiceIsRefused) {
  const Tensor array = floats({1, 3, 4, 4});
  EXPECT_CONTAINS(refusal(vision(), {{{"pixel_values", array}, {"image", array}}}), "twice");
}

TEST_F(PrepareInputsTest, FramesGoThroughThePreprocessor) {
  use_image_transform();
  for (const std::string key : {"", "image", "pixel_values"}) {
    const TensorMap found = tensors(vision(), {{{key, frame({48, 64, 3})}}});
    EXPECT_EQ(found.at("pixel_values").shape, (Ids{1, 3, 2, 2}));
    EXPECT_EQ(to_vector<float>(found.at("pixel_values")), std::vector<float>(12, 1.0F));
  }
}

TEST_F(PrepareInputsTest, FramesOfEveryLayoutAreUnderstood) {
  use_image_transform();
  for (const Ids& shape :
       {Ids{9, 9}, Ids{9, 9, 1}, Ids{9, 9, 4}, Ids{3, 9, 9}, Ids{1, 9, 9, 3}, Ids{1, 3, 9, 9}}) {
    const TensorMap found = tensors(vision(), {{{"image", frame(shape)}}});
    EXPECT_EQ(found.at("pixel_values").shape, (Ids{1, 3, 2, 2}));
  }
  EXPECT_EQ(tensors(vision(), {{{"", frame({5, 9, 9, 3})}}}).at("pixel_values").shape,
            (Ids{5, 3, 2, 2}));
}

TEST_F(PrepareInputsTest, ChannelsGoWhereThePortHasThem) {
  use_image_transform();
  const Ports ports = {port("x", DataType::kFloat, {1, 128, 128, 3})};
  const auto prepared = prepare(ports, {{{"image", frame({48, 64, 3})}}});
  EXPECT_EQ(prepared.value().tensors.at("x").shape, (Ids{1, 128, 128, 3}));
  EXPECT_EQ(prepared.value().decisions.at(0).action, "resize");
}

TEST_F(PrepareInputsTest, FramesWithoutAPreprocessorNameTheFile) {
  const std::string message =
      refusal(vision(), {{{"image", frame({48, 64, 3})}}}, ErrorCode::kNotFound);
  EXPECT_CONTAINS(message, "no preprocessor_config.json in /m");
  EXPECT_CONTAINS(message, "float [?, 3, ?, ?]");
}

TEST_F(PrepareInputsTest, ArraysThatFitNeedNoPreprocessor) {
  EXPECT_EQ(tensors(vision(), {{{"image", floats({1, 3, 8, 8})}}}).at("pixel_values").shape,
            (Ids{1, 3, 8, 8}));
  EXPECT_EQ(tensors(vision(), {{{"", frame({1, 3, 8, 8})}}}).at("pixel_values").type,
            DataType::kFloat);
}

TEST_F(PrepareInputsTest, PortsOfBytesTakeFramesAsTheyAre) {
  const Ports ports = {port("x", DataType::kUint8, {1, -1, -1, 3})};
  EXPECT_EQ(tensors(ports, {{{"image", frame({4, 6, 3})}}}).at("x").shape, (Ids{1, 4, 6, 3}));
  const Ports fixed = {port("x", DataType::kUint8, {1, 8, 8, 3})};
  refusal(fixed, {{{"image", frame({4, 6, 3})}}}, ErrorCode::kNotFound);
  use_image_transform();
  EXPECT_EQ(tensors(fixed, {{{"image", frame({4, 6, 3})}}}).at("x").type, DataType::kUint8);
}

TEST_F(PrepareInputsTest, SamplesOf16BitsAreScaledUnderTheKeyAudio) {
  const Ports ports = {port("wave", DataType::kFloat, {-1, -1})};
  const Tensor pcm = make_tensor(DataType::kInt16, {2}, std::vector<int16_t>{-32768, 16384});
  EXPECT_EQ(to_vector<float>(tensors(ports, {{{"audio", pcm}}}).at("wave")),
            (std::vector<float>{-1, 0.5F}));
  EXPECT_EQ(to_vector<float>(tensors(ports, {{{"wave", pcm}}}).at("wave")),
            (std::vector<float>{-32768, 16384}));
}

TEST_F(PrepareInputsTest, AnAmbiguousArrayListsTheInputs) {
  const Ports ports = {port("a", DataType::kFloat, {-1, 4}), port("b", DataType::kFloat, {-1, 4})};
  EXPECT_CONTAINS(refusal(ports, {{{"", floats({1, 4})}}}), "several of the model's inputs");
  EXPECT_CONTAINS(refusal(ports, {{{"", floats({1, 5})}}}), "none of the model's inputs");
  EXPECT_CONTAINS(refusal(ports, {}), "no value for a float [?, 4] and b float [?, 4]");
}

TEST_F(PrepareInputsTest, ModelsOfWordsTakeWords) {
  const Ports ports = {port("word", DataType::kString, {-1})};
  EXPECT_EQ(tensors(ports, {{{"", "hello"}}}).at("word").strings,
            (std::vector<std::string>{"hello"}));
  const Tensor words{DataType::kString, {2}, {}, {"a", "b"}};
  EXPECT_EQ(tensors(ports, {{{"", words}}}).at("word").strings, words.strings);
}

TEST_F(PrepareInputsTest, AnArrayOfTextsIsABatch) {
  use_tokenizer();
  const Tensor words{DataType::kString, {2}, {}, {"a", "bb ccc"}};
  const TensorMap found = tensors(bert(), {{{"text", words}}});
  EXPECT_EQ(to_vector<int64_t>(found.at("input_ids")), (Ids{1, 99, 2, 3}));
  EXPECT_EQ(to_vector<int64_t>(found.at("attention_mask")), (Ids{1, 0, 1, 1}));
}

TEST_F(PrepareInputsTest, FilesAreReadByTheirContent) {
  env_.put_file("/d/array.npy", fixture_content("plain.npy"));
  env_.put_file("/d/picture", fixture_content("picture.png"));
  const Ports ports = {port("x", DataType::kFloat, {-1, 3, 4})};
  EXPECT_EQ(tensors(ports, {{{"", "/d/array.npy"}}}).at("x").shape, (Ids{2, 3, 4}));
  use_image_transform();
  EXPECT_EQ(tensors(vision(), {{{"", "/d/picture"}}}).at("pixel_values").shape, (Ids{1, 3, 2, 2}));
}

TEST_F(PrepareInputsTest, ArchivesFeedInputsByName) {
  env_.put_file("/d/a.npz", fixture_content("stored.npz"));
  const Ports ports = {port("ids", DataType::kInt32, {-1, -1}),
                       port("x", DataType::kFloat, {2, 3, 4})};
  const TensorMap found = tensors(ports, {{{"", "/d/a.npz"}}});
  EXPECT_EQ(to_vector<int32_t>(found.at("ids")), (std::vector<int32_t>{1, 2, 3}));
  EXPECT_CONTAINS(refusal(ports, {{{"x", "/d/a.npz"}}}), "holds 2 arrays");
  EXPECT_CONTAINS(refusal(vision(), {{{"", "/d/a.npz"}}}), "no input \"ids\"");
}

TEST_F(PrepareInputsTest, WhatLooksLikeAPathMustExist) {
  use_tokenizer();
  EXPECT_CONTAINS(refusal(bert(), {{{"", "/d/missing.png"}}}, ErrorCode::kNotFound),
                  "/d/missing.png");
  env_.put_file("/d/notes.txt", "words");
  refusal(bert(), {{{"", "/d/notes.txt"}}}, ErrorCode::kUnsupported);
  EXPECT_EQ(tensors(bert(), {{{"", "look at cat.png"}}}).at("input_ids").shape, (Ids{1, 3}));
  EXPECT_EQ(tensors(bert(), {{{"text", "/d/missing.png"}}}).at("input_ids").shape, (Ids{1, 1}));
}

TEST_F(PrepareInputsTest, PicturesAreFoundAmongSeveralInputs) {
  use_image_transform();
  Ports ports = vision();
  ports.push_back(port("input_ids", DataType::kInt64, {-1, -1}));
  use_tokenizer();
  const TensorMap found = tensors(ports, {{{"image", frame({9, 9, 3})}, {"text", "a photo of"}}});
  EXPECT_EQ(found.at("pixel_values").shape, (Ids{1, 3, 2, 2}));
  EXPECT_EQ(to_vector<int64_t>(found.at("input_ids")), (Ids{1, 5, 2}));
}

}  // namespace
}  // namespace wattwise::input
