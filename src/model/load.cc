// SPDX-License-Identifier: Apache-2.0
#include "model/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <protozero/exception.hpp>

#include "core/text.h"
#include "model/quote.h"
#include "model/reader.h"

namespace wattwise::model {
namespace {

Error damaged(const std::string& source, std::string_view why) {
  return {ErrorCode::kCorrupt,
          fmt::format("{} is not a usable ONNX model: {}; export it again", source, why)};
}

/// Maps the data files beside a model, each once, and never one outside its folder.
class ExternalFiles {
 public:
  ExternalFiles(const Env& env, const std::string& model_path)
      : env_(env), folder_(parent_path(model_path)) {}

  Bytes read(const std::string& location, uint64_t offset, std::optional<uint64_t> length) {
    const Bytes& file = map(location);
    if (offset > file.size() || length.value_or(0) > file.size() - offset) {
      throw Damage(
          fmt::format("{} bytes from {} on are asked for of its data file {}, which has {}",
                      length.value_or(0), offset, quoted(location), file.size()));
    }
    return file.slice(offset, length.value_or(file.size() - offset));
  }

  /// Every file that was mapped.
  const std::vector<SourceFile>& mapped() const { return mapped_; }
  /// Why a data file that is there could not be mapped: the model may be sound.
  const std::optional<Error>& failure() const { return failure_; }

 private:
  const Bytes& map(const std::string& location) {
    if (const auto known = by_location_.find(location); known != by_location_.end()) {
      return known->second;
    }
    const std::string path = resolve(location);
    const auto known = by_path_.find(path);
    if (known != by_path_.end()) return by_location_[location] = known->second;
    const auto info = env_.stat(path);  // before: what replaces the file later looks newer
    auto file = env_.map_file(path);
    if (!file) {
      failure_ = file.error();
      throw Damage(failure_->message());
    }
    mapped_.push_back({path, *file, info ? info->modified_ns : 0});
    return by_location_[location] = by_path_[path] = *file;
  }

  /// The real path of a data file; links are followed, but not out of the folder.
  std::string resolve(const std::string& location) const {
    if (location.empty() || location.front() == '/' || location.find('\0') != std::string::npos) {
      throw Damage(fmt::format("its data file {} is no relative path", quoted(location)));
    }
    const auto parts = split(location, '/');
    if (std::find(parts.begin(), parts.end(), "..") != parts.end()) {
      throw Damage(
          fmt::format("its data file {} lies outside the model's folder", quoted(location)));
    }
    const auto folder = env_.canonical_path(folder_);
    auto path = env_.canonical_path(join_path(folder_, location));
    if (!path) {
      throw Damage(fmt::format("its data file {} is missing from {}", quoted(location), folder_));
    }
    if (!folder || !path->starts_with(*folder == "/" ? "/" : *folder + "/")) {
      throw Damage(fmt::format("its data file {} is a link to a place outside the model's folder",
                               quoted(location)));
    }
    return *std::move(path);
  }

  const Env& env_;
  std::string folder_;
  std::map<std::string, Bytes> by_location_;
  std::map<std::string, Bytes> by_path_;
  std::vector<SourceFile> mapped_;
  std::optional<Error> failure_;
};

Result<Model> read(const Bytes& content, const std::string& source, const ExternalData& external) {
  try {
    return read_model(content, external);
  } catch (const Damage& damage) {
    return damaged(source, damage.what());
  } catch (const protozero::end_of_buffer_exception&) {
    return damaged(source, "it ends in the middle of a field");
  } catch (const protozero::exception&) {
    return damaged(source, "its content is no protocol buffer message");
  } catch (const std::bad_alloc&) {
    return Error(ErrorCode::kExhausted, fmt::format("there is no memory to read {}", source));
  }
}

}  // namespace

Result<Model> load(Env& env, const std::string& path) {
  const auto info = env.stat(path);
  if (!info) {
    return Error(ErrorCode::kNotFound, fmt::format("there is no file {}; check the path", path));
  }
  if (info->is_directory) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} is a folder; name the ONNX file in it", path));
  }
  const Bytes content = WATTWISE_TRY(env.map_file(path));
  if (content.empty()) return damaged(path, "the file is empty");
  ExternalFiles files(env, path);
  auto model =
      read(content, path,
           [&](const std::string& location, uint64_t offset, std::optional<uint64_t> length) {
             return files.read(location, offset, length);
           });
  if (!model && files.failure()) {
    return Error(*files.failure()).with_context("reading the weights of " + path);
  }
  if (!model) return model;
  const auto real_path = env.canonical_path(path);
  model->sources = {{real_path ? *real_path : path, content, info->modified_ns}};
  model->sources.insert(model->sources.end(), files.mapped().begin(), files.mapped().end());
  return model;
}

Result<Model> parse(const Bytes& content, const std::string& source_name) {
  if (content.empty()) return damaged(source_name, "it is empty");
  return read(
      content, source_name,
      [](const std::string& location, uint64_t, std::optional<uint64_t>) -> Bytes {
        throw Damage(fmt::format("its data file \"{}\" cannot be reached from memory", location));
      });
}

}  // namespace wattwise::model
