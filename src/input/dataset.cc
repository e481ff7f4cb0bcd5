// SPDX-License-Identifier: Apache-2.0
#include "input/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"
#include "input/array_file.h"
#include "input/labels.h"
#include "input/ports.h"
#include "input/raw_file.h"

namespace wattwise::input {
namespace {

constexpr std::array<std::string_view, 3> kLabelTables = {"labels.csv", "labels.tsv", "labels.txt"};
constexpr std::string_view kLabelArray = "labels.npy";

bool is_label_file(const std::string& name) {
  return name == kLabelArray ||
         std::find(kLabelTables.begin(), kLabelTables.end(), name) != kLabelTables.end();
}

bool is_text_file(const std::string& path) { return to_lower(file_extension(path)) == ".txt"; }

/// What a folder holds, hidden files left out.
struct Listing {
  std::vector<std::string> files;
  std::vector<std::string> folders;
  std::vector<std::string> label_files;
};

Result<Listing> list_samples(const Env& env, const std::string& folder) {
  Listing listing;
  for (const std::string& name : WATTWISE_TRY(env.list_directory(folder))) {
    if (name.starts_with('.')) continue;
    const auto info = env.stat(join_path(folder, name));
    if (info && info->is_directory) {
      listing.folders.push_back(name);
    } else if (is_label_file(name)) {
      listing.label_files.push_back(name);
    } else {
      listing.files.push_back(name);
    }
  }
  return listing;
}

Error mixed_folder(const std::string& folder) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("the folder {} holds files and folders: put samples in it, or a folder for "
                      "each class",
                      folder)};
}

/// The files of a folder, each a sample, and their labels.
struct SampleFiles {
  std::string folder;
  std::vector<std::string> names;  ///< with the class's folder where there are any
  Labels labels;
};

Result<void> check_files(const Env& env, const SampleFiles& files) {
  if (files.names.empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the folder {} holds no samples: put arrays (.npy, .npz), images, "
                             "sounds or texts (.txt) into it",
                             files.folder));
  }
  for (const std::string& name : files.names) {
    const std::string path = join_path(files.folder, name);
    if (is_text_file(path)) continue;
    auto kind = identify_file(env, path);
    if (!kind) return std::move(kind).error().with_context("looking for samples");
  }
  return {};
}

/// One folder a class: its name is the label.
Result<SampleFiles> list_classes(const Env& env, const std::string& folder,
                                 const std::vector<std::string>& classes) {
  SampleFiles files{folder, {}, {}};
  std::vector<std::string> words;
  for (const std::string& name : classes) {
    const Listing listing = WATTWISE_TRY(list_samples(env, join_path(folder, name)));
    if (!listing.folders.empty()) return mixed_folder(join_path(folder, name));
    for (const std::string& file : listing.files) files.names.push_back(join_path(name, file));
    words.resize(files.names.size(), name);
  }
  files.labels = number_labels(words);
  return files;
}

Result<SampleFiles> list_files(const Env& env, const std::string& folder) {
  Listing listing = WATTWISE_TRY(list_samples(env, folder));
  if (listing.files.empty() && !listing.folders.empty()) {
    return list_classes(env, folder, listing.folders);
  }
  if (!listing.folders.empty()) return mixed_folder(folder);
  SampleFiles files{folder, std::move(listing.files), {}};
  if (listing.label_files.size() > 1) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the folder {} holds {}: keep one of them", folder,
                             join(listing.label_files, " and ")));
  }
  if (listing.label_files.empty()) return files;
  const std::string path = join_path(folder, listing.label_files.front());
  files.labels = WATTWISE_TRY(listing.label_files.front() == kLabelArray
                                  ? read_label_list(env, path, files.names.size())
                                  : read_label_table(env, path, files.names));
  return files;
}

/// The arrays of an archive by the inputs' names, its labels apart.
Result<RawSample> read_archive(const Env& env, const std::string& path,
                               const std::vector<PortInfo>& ports) {
  const TensorMap arrays = WATTWISE_TRY(read_npz(env, path));
  RawSample sample;
  const Tensor* labels = find_labels(arrays, ports);
  if (labels) sample.labels = WATTWISE_TRY(to_numbers(*labels));
  for (const auto& [name, array] : arrays) {
    if (&array != labels) sample.inputs.values.emplace_back(name, array);
  }
  const bool single = sample.inputs.values.size() == 1;
  if (single && !find_port(ports, sample.inputs.values[0].first)) {
    sample.inputs.values[0].first = "";
  }
  return sample;
}

Result<RawSample> read_sample_file(const Env& env, const std::string& path,
                                   const std::vector<PortInfo>& ports) {
  RawSample sample;
  if (is_text_file(path)) {
    sample.inputs.values.emplace_back("text", WATTWISE_TRY(env.read_file(path)));
  } else if (WATTWISE_TRY(identify_file(env, path)) == FileKind::kArchive) {
    sample = WATTWISE_TRY(read_archive(env, path, ports));
  } else {
    sample.inputs.values.emplace_back("", path);
  }
  sample.name = path;
  return sample;
}

}  // namespace

Result<Dataset> open_sample_files(const Env& env, const std::string& folder,
                                  const std::vector<PortInfo>& ports) {
  SampleFiles files = WATTWISE_TRY(list_files(env, folder));
  WATTWISE_TRY(check_files(env, files));
  const size_t size = files.names.size();
  std::vector<std::string> classes = std::move(files.labels.class_names);
  const auto read = [&env, ports, files = std::move(files)](size_t index) -> Result<RawSample> {
    RawSample sample =
        WATTWISE_TRY(read_sample_file(env, join_path(files.folder, files.names[index]), ports));
    if (!files.labels.values.empty()) sample.labels = {files.labels.values[index]};
    return sample;
  };
  return Dataset(size, read, std::move(classes));
}

Result<Dataset> Dataset::open(const Env& env, const std::string& path,
                              const std::vector<PortInfo>& ports) {
  const auto info = env.stat(path);
  if (!info) {
    return Error(ErrorCode::kNotFound,
                 fmt::format("there is no file or folder of samples {}: check the path", path));
  }
  if (info->is_directory) return open_sample_files(env, path, ports);
  constexpr std::array<std::string_view, 3> kTexts = {".txt", ".tsv", ".csv"};
  const std::string extension = to_lower(file_extension(path));
  if (std::find(kTexts.begin(), kTexts.end(), extension) != kTexts.end()) {
    return open_sample_lines(env, path);
  }
  const auto kind = WATTWISE_TRY(identify_file(env, path));
  if (kind == FileKind::kArray || kind == FileKind::kArchive) {
    return open_sample_rows(env, path, ports);
  }
  if (kind) {
    const auto read = [path](size_t) -> Result<RawSample> {
      return RawSample{{{{"", path}}}, {}, path};
    };
    return Dataset(1, read);
  }
  return open_sample_lines(env, path);
}

}  // namespace wattwise::input
