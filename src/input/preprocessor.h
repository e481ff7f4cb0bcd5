// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/env.h"
#include "core/json.h"
#include "input/image.h"
#include "input/tokenizer.h"

namespace wattwise::input {

/// What turns raw text, pictures or sound into tensors, from the files beside a model.
struct Preprocessor {
  std::string folder;                          ///< where it was looked for
  std::shared_ptr<const Tokenizer> tokenizer;  ///< shared by all sessions of one model; may be null
  int64_t max_tokens = 0;               ///< tokenizer_config.json's model_max_length; 0: no limit
  std::optional<ImageTransform> image;  ///< from preprocessor_config.json
  std::optional<int> sampling_rate_hz;  ///< from preprocessor_config.json
  bool normalize_sound = false;    ///< to mean 0 and variance 1 (do_normalize beside sampling_rate)
  int64_t sound_feature_size = 1;  ///< 1: plain samples; more: spectral features
  std::vector<std::string> files;  ///< paths found; they travel into every bundle
};

/// Reads tokenizer.json, tokenizer_config.json, preprocessor_config.json (and config.json) beside
/// the model, or one folder up when the model lies in onnx/. Missing files leave parts empty. A
/// file may carry the start of the model's name: word-tokenizer.json serves word-small.onnx.
/// `model_path` may be a Hugging Face folder. kCorrupt names the file and the key.
Result<Preprocessor> load_preprocessor(const Env& env, const std::string& model_path);

/// Fills the image and sound parts of `preprocessor` from a preprocessor_config.json; `source`
/// names it in errors. Unknown keys are ignored, as their tools do.
Result<void> parse_preprocessor_config(const Json& config, const std::string& source,
                                       Preprocessor& preprocessor);

/// The ONNX file meant by `path`: itself, or for a Hugging Face folder its onnx/model.onnx or
/// model.onnx, or the only .onnx file there. kNotFound lists what the folder holds.
Result<std::string> find_model_file(const Env& env, const std::string& path);

}  // namespace wattwise::input
