// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "deploy/context.h"
#include "deploy/evaluate.h"
#include "deploy/samples.h"
#include "engine/session.h"
#include "input/preprocessor.h"
#include "model/graph.h"

namespace wattwise::deploy {

/// What stands before any change: the model as read and how it behaves.
struct Source {
  std::string path;
  model::Model model;
  int64_t size_bytes = 0;
  input::Preprocessor preprocessor;
  Samples samples;
  engine::InputGuess inputs;        ///< sizes and values that costs refer to
  std::vector<Decision> decisions;  ///< inputs that were fixed, and whether blocks are run
  TensorMap fixed = {};             ///< values of fixed inputs
  std::optional<SampleReader> calibration = {};   ///< the caller's data, if there is any
  std::optional<Evaluator> evaluator = {};        ///< knows the float model's task metric
  std::optional<int64_t> opset = {};              ///< that the result is to have
  bool in_blocks = false;                         ///< too large to be run as a whole
  bool measure = false;                           ///< changes are timed on this machine
  bool quantizes = false;                         ///< a method may follow the exact passes
  int64_t node_count = 0;                         ///< as read, inner graphs included
  std::vector<AppliedOptimization> applied = {};  ///< passes that an operator set made necessary
  double max_error = 0;  ///< how far `model` may be from what was read, relative
};

/// Reads a model and runs it as it is, fed with the values of fixed inputs, which are constants in
/// what is returned. Its weights' pages are released afterwards. Of a model that is too large to be
/// run as a whole, constants that are made later go to files in `folder`.
Result<Source> open_source(Context& context, const PrepareOptions& options,
                           const std::string& folder);

}  // namespace wattwise::deploy
