// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/env.h"
#include "input/prepare_inputs.h"
#include "wattwise/types.h"

namespace wattwise::input {

/// One sample as it lies on disk: files are named, not read.
struct RawSample {
  RawInput inputs;
  /// What is right, one number for each decision of the model: usually one, the class. Empty where
  /// the data has no labels.
  std::vector<double> labels;
  std::string name;  ///< where it comes from, for messages
};

/// Samples at a path, read one at a time and in any order (docs/formats/datasets.md): a folder of
/// array, image, sound or text files, which may lie in one folder a class; a text file with a
/// sample a line; or an array file whose first axis counts samples. In memory are a name or a
/// position and the label of each sample, and what a compressed .npz holds. Thread rule: as `env`.
///
///     const auto data = WATTWISE_TRY(Dataset::open(env, "faces/", session.inputs()));
///     for (size_t i = 0; i < data.size(); ++i) use(WATTWISE_TRY(data.read(i)));
class Dataset {
 public:
  /// `ports` tell a sample's shape from that of many, and an input from labels. kNotFound for a
  /// path that is not there, kInvalidArgument for labels that do not belong to the samples,
  /// kUnsupported for a file that is no sample; all name the file.
  static Result<Dataset> open(const Env& env, const std::string& path,
                              const std::vector<PortInfo>& ports);

  size_t size() const { return size_; }
  /// The sample at `index`, counted from 0 in the order of names or lines.
  Result<RawSample> read(size_t index) const { return read_(index); }
  /// Classes named by words instead of numbers; a label is a position among them.
  const std::vector<std::string>& class_names() const { return class_names_; }

  /// What the kinds of paths are made of. Precondition: `size` > 0.
  Dataset(size_t size, std::function<Result<RawSample>(size_t)> read,
          std::vector<std::string> class_names = {})
      : size_(size), read_(std::move(read)), class_names_(std::move(class_names)) {}

 private:
  size_t size_;
  std::function<Result<RawSample>(size_t)> read_;
  std::vector<std::string> class_names_;
};

/// The kinds of paths, chosen by Dataset::open().
Result<Dataset> open_sample_files(const Env& env, const std::string& folder,
                                  const std::vector<PortInfo>& ports);
Result<Dataset> open_sample_lines(const Env& env, const std::string& path);
Result<Dataset> open_sample_rows(const Env& env, const std::string& path,
                                 const std::vector<PortInfo>& ports);

}  // namespace wattwise::input
