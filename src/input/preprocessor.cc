// SPDX-License-Identifier: Apache-2.0
#include "input/preprocessor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"

namespace wattwise::input {
namespace {

constexpr std::string_view kOnnxFolder = "onnx";
constexpr std::string_view kOnnxExtension = ".onnx";
/// Configurations say "no limit" with numbers like 1e30.
constexpr double kLargestLimit = 1e7;

bool is_file(const Env& env, const std::string& path) {
  const auto info = env.stat(path);
  return info && !info->is_directory;
}

bool is_directory(const Env& env, const std::string& path) {
  const auto info = env.stat(path);
  return info && info->is_directory;
}

/// The folders that may hold the files that belong to a model, nearest first.
std::vector<std::string> folders_of(const Env& env, const std::string& model_path) {
  if (is_directory(env, model_path)) return {model_path, join_path(model_path, kOnnxFolder)};
  const std::string folder = parent_path(model_path);
  if (file_name(folder) == kOnnxFolder) return {folder, parent_path(folder)};
  return {folder};
}

/// How much of `stem` the file's name starts with, as in word-tokenizer.json for word-small; 0 when
/// it is no such name.
size_t shared_prefix(std::string_view file, std::string_view name, std::string_view stem) {
  if (file.size() < name.size() + 2 || !file.ends_with(name)) return 0;
  const std::string_view prefix = file.substr(0, file.size() - name.size() - 1);
  const char separator = file[prefix.size()];
  const bool separated = separator == '-' || separator == '_' || separator == '.';
  return separated && stem.starts_with(prefix) ? prefix.size() : 0;
}

/// The path of `name` in `folder`, plain or with the longest start of the model's stem before it.
std::optional<std::string> find_in_folder(const Env& env, const std::string& folder,
                                          std::string_view name, std::string_view stem) {
  const std::string plain = join_path(folder, name);
  if (is_file(env, plain)) return plain;
  const auto files = env.list_directory(folder);
  if (!files) return std::nullopt;
  size_t best_length = 0;
  std::optional<std::string> best;
  for (const std::string& file : *files) {
    const size_t length = shared_prefix(file, name, stem);
    if (length > best_length) {
      best_length = length;
      best = join_path(folder, file);
    }
  }
  return best;
}

/// Where to look, for which model.
struct Search {
  const Env& env;
  std::vector<std::string> folders;
  std::string stem;
};

/// The file's path; it is also noted in `preprocessor.files`.
std::optional<std::string> find_beside(const Search& search, std::string_view name,
                                       Preprocessor& preprocessor) {
  for (const std::string& folder : search.folders) {
    if (auto path = find_in_folder(search.env, folder, name, search.stem)) {
      preprocessor.files.push_back(*path);
      return path;
    }
  }
  return std::nullopt;
}

Result<Json> read_json(const Env& env, const std::string& path) {
  return parse_json(WATTWISE_TRY(env.read_file(path)), path);
}

Result<void> load_text_part(const Search& search, Preprocessor& preprocessor) {
  if (const auto path = find_beside(search, "tokenizer.json", preprocessor)) {
    preprocessor.tokenizer = WATTWISE_TRY(load_tokenizer_lazily(search.env, *path));
  }
  const auto path = find_beside(search, "tokenizer_config.json", preprocessor);
  if (!path) return {};
  const Json config = WATTWISE_TRY(read_json(search.env, *path));
  const auto limit = config.find("model_max_length");
  if (limit != config.end() && limit->is_number() && limit->get<double>() >= 1 &&
      limit->get<double>() <= kLargestLimit) {
    preprocessor.max_tokens = limit->get<int64_t>();
  }
  return {};
}

std::vector<std::string> onnx_files_in(const Env& env, const std::string& folder) {
  std::vector<std::string> found;
  const auto names = env.list_directory(folder);
  if (!names) return found;
  for (const std::string& name : *names) {
    if (file_extension(name) == kOnnxExtension) found.push_back(join_path(folder, name));
  }
  return found;
}

Error no_model_in(const Env& env, const std::string& folder, std::vector<std::string> models) {
  if (!models.empty()) {
    return {ErrorCode::kNotFound,
            fmt::format("{} holds several models and none is model.onnx: pass one of {}", folder,
                        join(models, ", "))};
  }
  const auto names = env.list_directory(folder);
  const std::string content = names && !names->empty() ? join(*names, ", ") : "nothing";
  return {ErrorCode::kNotFound,
          fmt::format("{} holds no ONNX model (onnx/model.onnx or model.onnx) but {}: export the "
                      "model to ONNX first",
                      folder, content)};
}

}  // namespace

Result<Preprocessor> load_preprocessor(const Env& env, const std::string& model_path) {
  const Search search{env, folders_of(env, model_path), file_stem(model_path)};
  Preprocessor preprocessor;
  preprocessor.folder = search.folders.front();
  WATTWISE_TRY(load_text_part(search, preprocessor));
  if (const auto path = find_beside(search, "preprocessor_config.json", preprocessor)) {
    const Json config = WATTWISE_TRY(read_json(env, *path));
    WATTWISE_TRY(parse_preprocessor_config(config, *path, preprocessor));
  }
  find_beside(search, "config.json", preprocessor);
  return preprocessor;
}

Result<std::string> find_model_file(const Env& env, const std::string& path) {
  const auto info = env.stat(path);
  if (!info) {
    return Error(ErrorCode::kNotFound,
                 fmt::format("there is no model at {}: check the path", path));
  }
  if (!info->is_directory) return path;
  const std::string onnx_folder = join_path(path, kOnnxFolder);
  for (const std::string& folder : {onnx_folder, path}) {
    const std::string usual = join_path(folder, "model.onnx");
    if (is_file(env, usual)) return usual;
  }
  std::vector<std::string> models = onnx_files_in(env, onnx_folder);
  for (std::string& model : onnx_files_in(env, path)) models.push_back(std::move(model));
  if (models.size() == 1) return models.front();
  return no_model_in(env, path, std::move(models));
}

}  // namespace wattwise::input
