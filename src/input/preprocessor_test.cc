// SPDX-License-Identifier: Apache-2.0
#include "input/preprocessor.h"

#include <gtest/gtest.h>

#include "core/memory_env.h"
#include "input/test_fixtures.h"

namespace wattwise::input {
namespace {

using Paths = std::vector<std::string>;

Result<Preprocessor> with_config(const std::string& json) {
  MemoryEnv env;
  env.put_file("/m/model.onnx", "");
  env.put_file("/m/preprocessor_config.json", json);
  return load_preprocessor(env, "/m/model.onnx");
}

ImageTransform transform_of(const std::string& json) { return *with_config(json).value().image; }

TEST(LoadPreprocessorTest, NothingBesideTheModelLeavesAllPartsEmpty) {
  MemoryEnv env;
  env.put_file("/m/model.onnx", "");
  const Preprocessor found = load_preprocessor(env, "/m/model.onnx").value();
  EXPECT_EQ(found.folder, "/m");
  EXPECT_FALSE(found.tokenizer || found.image || found.sampling_rate_hz);
  EXPECT_TRUE(found.files.empty());
}

TEST(LoadPreprocessorTest, LooksOneFolderUpFromOnnx) {
  MemoryEnv env;
  env.put_file("/hub/onnx/model.onnx", "");
  env.put_file("/hub/config.json", "{}");
  env.put_file("/hub/tokenizer.json", fixture_content("tokenizer.json"));
  env.put_file("/hub/tokenizer_config.json", R"({"model_max_length": 128})");
  const Preprocessor found = load_preprocessor(env, "/hub/onnx/model.onnx").value();
  EXPECT_EQ(found.files,
            (Paths{"/hub/tokenizer.json", "/hub/tokenizer_config.json", "/hub/config.json"}));
  EXPECT_TRUE(found.tokenizer);
  EXPECT_EQ(found.max_tokens, 128);
  EXPECT_EQ(load_preprocessor(env, "/hub").value().files, found.files);
}

TEST(LoadPreprocessorTest, DoesNotLookUpFromOtherFolders) {
  MemoryEnv env;
  env.put_file("/hub/models/model.onnx", "");
  env.put_file("/hub/tokenizer.json", "{}");
  EXPECT_FALSE(load_preprocessor(env, "/hub/models/model.onnx").value().tokenizer);
}

TEST(LoadPreprocessorTest, FindsFilesThatCarryTheStartOfTheModelsName) {
  MemoryEnv env;
  env.put_file("/m/word-vectors_balanced_optimized.onnx", "");
  env.put_file("/m/word-tokenizer.json", "{}");
  env.put_file("/m/word-vectors-tokenizer.json", "{}");
  env.put_file("/m/other-tokenizer.json", "{}");
  const auto path = "/m/word-vectors_balanced_optimized.onnx";
  EXPECT_EQ(load_preprocessor(env, path).value().files, Paths{"/m/word-vectors-tokenizer.json"});
  env.put_file("/m/tokenizer.json", "{}");
  EXPECT_EQ(load_preprocessor(env, path).value().files, Paths{"/m/tokenizer.json"});
}

TEST(LoadPreprocessorTest, AnEndlessLimitIsNone) {
  MemoryEnv env;
  env.put_file("/m/tokenizer_config.json",
               R"({"model_max_length": 1000000000000000019884624838656})");
  EXPECT_EQ(load_preprocessor(env, "/m/model.onnx").value().max_tokens, 0);
}

TEST(LoadPreprocessorTest, NamesDamagedFiles) {
  const auto broken = with_config("{");
  EXPECT_CONTAINS(failure(broken, ErrorCode::kCorrupt), "/m/preprocessor_config.json");
  failure(with_config("[1]"), ErrorCode::kCorrupt);
}

TEST(PreprocessorConfigTest, ReadsTheUsualKeys) {
  const ImageTransform transform = transform_of(R"({
      "do_resize": true, "size": {"height": 256, "width": 192}, "resample": 3,
      "do_rescale": true, "rescale_factor": 0.5, "do_normalize": true, "do_convert_rgb": true,
      "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], "unknown": {"a": 1}})");
  EXPECT_TRUE(transform.resize);
  EXPECT_EQ(transform.height, 256);
  EXPECT_EQ(transform.width, 192);
  EXPECT_EQ(transform.filter, Filter::kBicubic);
  EXPECT_EQ(transform.rescale_factor, 0.5);
  EXPECT_EQ(transform.mean[2], 0.3);
  EXPECT_EQ(transform.std[0], 0.4);
  EXPECT_FALSE(transform.center_crop);
}

TEST(PreprocessorConfigTest, ReadsEveryFormOfSize) {
  const ImageTransform square = transform_of(R"({"size": 224})");
  EXPECT_EQ(square.height, 224);
  EXPECT_EQ(square.width, 224);
  const ImageTransform cropped = transform_of(R"({"size": 256, "crop_size": 224})");
  EXPECT_EQ(cropped.shortest_edge, 256);
  EXPECT_EQ(cropped.center_crop, (std::array<int64_t, 2>{224, 224}));
  const ImageTransform edges =
      transform_of(R"({"size": {"shortest_edge": 800, "longest_edge": 1333}})");
  EXPECT_EQ(edges.shortest_edge, 800);
  EXPECT_EQ(edges.longest_edge, 1333);
  const ImageTransform line = transform_of(R"({"size": {"height": 48}})");
  EXPECT_EQ(line.height, 48);
  EXPECT_FALSE(line.width);
  EXPECT_EQ(transform_of(R"({"size": {"width": 64}})").width, 64);
}

TEST(PreprocessorConfigTest, SwitchesTurnStepsOff) {
  const ImageTransform transform = transform_of(R"({
      "size": 224, "do_resize": false, "crop_size": 200, "do_center_crop": false,
      "do_rescale": false, "image_mean": [0, 0, 0], "image_std": [1, 1, 1],
      "do_normalize": false})");
  EXPECT_FALSE(transform.resize || transform.center_crop || transform.rescale ||
               transform.normalize);
}

TEST(PreprocessorConfigTest, NormalizesOnlyWhenItSaysBy) {
  EXPECT_FALSE(transform_of(R"({"size": 8})").normalize);
  EXPECT_TRUE(transform_of(R"({"image_mean": 0.5, "image_std": [0.5]})").normalize);
  const auto lacking = with_config(R"({"size": 8, "do_normalize": true})");
  EXPECT_CONTAINS(failure(lacking, ErrorCode::kCorrupt), "image_mean");
}

TEST(PreprocessorConfigTest, AShareOfTheEdgeEnlargesAndCrops) {
  const ImageTransform small =
      transform_of(R"({"size": {"shortest_edge": 224}, "crop_pct": 0.875})");
  EXPECT_EQ(small.shortest_edge, 256);
  EXPECT_EQ(small.center_crop, (std::array<int64_t, 2>{224, 224}));
  const ImageTransform large =
      transform_of(R"({"size": {"shortest_edge": 384}, "crop_pct": 0.95})");
  EXPECT_EQ(large.height, 384);
  EXPECT_FALSE(large.center_crop);
}

TEST(PreprocessorConfigTest, WrongValuesNameTheirKey) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {R"({"size": "large"})", "size"},
      {R"({"size": {}})", "size"},
      {R"({"size": 0})", "size"},
      {R"({"size": {"height": 1e99}})", "height"},
      {R"({"size": {"height": -4, "width": 4}})", "height"},
      {R"({"size": 8, "do_resize": "yes"})", "do_resize"},
      {R"({"size": 8, "crop_size": true})", "crop_size"},
      {R"({"size": 8, "resample": 9})", "resample"},
      {R"({"size": 8, "rescale_factor": "a"})", "rescale_factor"},
      {R"({"image_mean": [1, 2], "image_std": [1, 2, 3]})", "image_mean"},
      {R"({"image_mean": [1, 2, "3"], "image_std": [1, 2, 3]})", "image_mean"},
      {R"({"image_mean": [1, 2, 3], "image_std": [1, 0, 3]})", "image_std"},
      {R"({"sampling_rate": 1.5})", "sampling_rate"},
      {R"({"sampling_rate": 8000, "feature_size": "x"})", "feature_size"},
  };
  for (const auto& [json, key] : wrong) {
    EXPECT_CONTAINS(failure(with_config(json), ErrorCode::kCorrupt), "\"" + key + "\" must be");
  }
}

TEST(PreprocessorConfigTest, ReadsSound) {
  const auto found =
      with_config(R"({"sampling_rate": 16000, "feature_size": 1, "do_normalize": true})");
  EXPECT_EQ(found.value().sampling_rate_hz, 16000);
  EXPECT_TRUE(found.value().normalize_sound);
  EXPECT_FALSE(found.value().image);
}

TEST(PreprocessorConfigTest, OtherKeysAloneMeanNoImages) {
  EXPECT_FALSE(with_config(R"({"processor_class": "Other"})").value().image);
}

TEST(FindModelFileTest, TakesAFileAsItIs) {
  MemoryEnv env;
  env.put_file("/m/any.bin", "");
  EXPECT_EQ(find_model_file(env, "/m/any.bin").value(), "/m/any.bin");
}

TEST(FindModelFileTest, FindsTheModelOfAFolder) {
  MemoryEnv env;
  env.put_file("/a/model.onnx", "");
  env.put_file("/a/onnx/model_fp16.onnx", "");
  EXPECT_EQ(find_model_file(env, "/a").value(), "/a/model.onnx");
  env.put_file("/a/onnx/model.onnx", "");
  EXPECT_EQ(find_model_file(env, "/a").value(), "/a/onnx/model.onnx");
  env.put_file("/b/onnx/only.onnx", "");
  EXPECT_EQ(find_model_file(env, "/b").value(), "/b/onnx/only.onnx");
}

TEST(FindModelFileTest, ErrorsListWhatIsThere) {
  MemoryEnv env;
  env.put_file("/a/onnx/decoder.onnx", "");
  env.put_file("/a/onnx/encoder.onnx", "");
  env.put_file("/b/readme.txt", "");
  EXPECT_CONTAINS(failure(find_model_file(env, "/a"), ErrorCode::kNotFound),
                  "/a/onnx/decoder.onnx, /a/onnx/encoder.onnx");
  EXPECT_CONTAINS(failure(find_model_file(env, "/b"), ErrorCode::kNotFound), "readme.txt");
  EXPECT_CONTAINS(failure(find_model_file(env, "/none"), ErrorCode::kNotFound), "/none");
}

}  // namespace
}  // namespace wattwise::input
