// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "input/prepare_inputs.h"
#include "input/sound.h"

namespace wattwise::input {

/// What a feed needs to know.
struct FeedContext {
  const Env& env;
  const Preprocessor& preprocessor;
  const std::vector<PortInfo>& ports;
};

/// Tokenizes texts into ids, mask, type ids and positions, one row each, filled up to the longest
/// or to the port's fixed length. kNotFound without a tokenizer.
Result<PreparedInputs> feed_text(const FeedContext& context, std::span<const std::string> texts);

/// Whether a tensor looks like uint8 pictures: [H,W], [H,W,C], [C,H,W], or a batch of these.
bool is_picture(const Tensor& tensor);

/// Preprocesses pictures into a port with an image_layout(). kNotFound without a
/// preprocessor_config.json.
Result<PreparedInputs> feed_picture(const FeedContext& context, const PortInfo& port,
                                    const Tensor& picture);

/// Resamples and normalizes sound into a float port. `source` names it in decisions.
Result<PreparedInputs> feed_sound(const FeedContext& context, const PortInfo& port,
                                  const Sound& sound, const std::string& source);

/// An array as it is: fit_tensor() for this port.
Result<PreparedInputs> feed_array(const PortInfo& port, const Tensor& array);

/// Adds what was left out and has an unmistakable value; an error lists what else is missing.
Result<PreparedInputs> fill_missing(const FeedContext& context, PreparedInputs prepared);

/// Moves `more` into `into`. kInvalidArgument if both hold the same input.
Result<void> merge_inputs(PreparedInputs& into, PreparedInputs more);

}  // namespace wattwise::input
