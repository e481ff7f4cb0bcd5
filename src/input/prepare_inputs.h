// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/env.h"
#include "input/preprocessor.h"
#include "wattwise/tensor.h"
#include "wattwise/types.h"

namespace wattwise::input {

/// One array, one text, or one path.
using RawValue = std::variant<Tensor, std::string>;
/// Raw input of one inference: arrays, texts and paths by name.
struct RawInput {
  /// Name (an input's, or a kind: image, text, audio) -> value. A single unnamed value has "".
  std::vector<std::pair<std::string, RawValue>> values;
};

/// The model's tensors, and what was done to get them (casts, filled-in inputs, padding, ...).
struct PreparedInputs {
  TensorMap tensors;
  std::vector<Decision> decisions;
};

/// Turns raw input into the model's tensors:
/// - an array goes to the input of its name, or to the model's only (or only matching) input;
///   uint8 pictures pass through the preprocessor if there is one; arrays are cast where no value
///   is lost (and between float types), and given a batch axis where just that is missing;
/// - a string that names an existing .npy, .npz, image or sound file is read; any other string is
///   tokenized (ids, mask and type ids into the inputs of these names). Under the key "text" it is
///   never taken for a path;
/// - inputs that are left out but have an unmistakable value (a mask of ones, type ids of zero,
///   positions, an empty key-value cache) are filled in and reported through the decisions.
/// kInvalidArgument lists what the model takes; kNotFound names the missing file (tokenizer.json,
/// preprocessor_config.json) and what it should hold. Thread rule: keeps no state.
///
///     RawInput raw{{{"image", frame}}};  // uint8 [480, 640, 3]
///     auto prepared = WATTWISE_TRY(prepare_inputs(env, preprocessor, session.inputs(), raw));
Result<PreparedInputs> prepare_inputs(const Env& env, const Preprocessor& preprocessor,
                                      const std::vector<PortInfo>& ports, const RawInput& raw);

/// The same for a batch: each item is prepared, texts are filled up to the longest (masked), and
/// all are put together along axis 0. kInvalidArgument for shapes that differ otherwise and for
/// models whose batch is fixed. Precondition: `items` is not empty.
Result<PreparedInputs> prepare_batch(const Env& env, const Preprocessor& preprocessor,
                                     const std::vector<PortInfo>& ports,
                                     std::span<const RawInput> items);

/// Concatenates along axis 0; a scalar must be the same in all items and stays one.
/// kInvalidArgument where names, types or the other dimensions differ.
Result<TensorMap> stack(const std::vector<TensorMap>& items);

}  // namespace wattwise::input
