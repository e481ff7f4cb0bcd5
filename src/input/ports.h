// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "input/image.h"
#include "wattwise/result.h"
#include "wattwise/types.h"

namespace wattwise::input {

/// "float [batch, 3, 224, 224]"; a free dimension without a name is "?".
std::string describe_type(const PortInfo& port);
/// All inputs with their types, for errors that say what a model takes.
std::string describe_ports(const std::vector<PortInfo>& ports);

/// The port of this name, or null.
const PortInfo* find_port(const std::vector<PortInfo>& ports, std::string_view name);

/// Where tokens go. Null where the model has no such input.
struct TextPorts {
  const PortInfo* ids = nullptr;
  const PortInfo* mask = nullptr;
  const PortInfo* type_ids = nullptr;
  const PortInfo* positions = nullptr;
};

/// By the names that exporters use; one nameless integer matrix is the ids. Two are not guessed at.
TextPorts find_text_ports(const std::vector<PortInfo>& ports);

/// The layout of a port that can take a picture: four dimensions of numbers with 1 or 3 channels
/// at the second or last place. Four free dimensions count as [batch, channels, height, width].
std::optional<ImageLayout> image_layout(const PortInfo& port);

/// A key-value cache of a decoder: an input that starts with "past", empty in the first step.
bool is_past_cache(const PortInfo& port);

/// The model's one input for pictures or sound. kInvalidArgument lists the inputs if there is none
/// or more than one.
Result<const PortInfo*> find_image_port(const std::vector<PortInfo>& ports);
Result<const PortInfo*> find_sound_port(const std::vector<PortInfo>& ports);

}  // namespace wattwise::input
