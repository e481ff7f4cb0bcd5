// SPDX-License-Identifier: Apache-2.0
#include "input/ports.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"

namespace wattwise::input {
namespace {

constexpr int64_t kFree = -1;

bool is_integer(const PortInfo& port) {
  return port.type == DataType::kInt64 || port.type == DataType::kInt32;
}

bool is_float(const PortInfo& port) {
  return port.type == DataType::kFloat || port.type == DataType::kFloat16 ||
         port.type == DataType::kDouble;
}

bool is_row_or_matrix(const PortInfo& port) {
  return port.shape.size() == 1 || port.shape.size() == 2;
}

/// In lower case, without the ":0" of a TensorFlow export.
std::string plain_name(const PortInfo& port) {
  std::string name = to_lower(port.name);
  if (name.ends_with(":0")) name.resize(name.size() - 2);
  return name;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// A part of the tokens, and the words that name it; the first word is the usual full name.
struct Role {
  const PortInfo* TextPorts::*slot;
  std::vector<std::string_view> words;
};

const std::vector<Role>& named_roles() {
  static const std::vector<Role> kRoles = {
      {&TextPorts::mask, {"attention_mask", "mask"}},
      {&TextPorts::type_ids, {"token_type_ids", "token_type", "segment", "type_ids"}},
      {&TextPorts::positions, {"position_ids", "position"}},
  };
  return kRoles;
}

const Role* role_of(const PortInfo& port) {
  const std::string name = plain_name(port);
  for (const Role& role : named_roles()) {
    for (const std::string_view word : role.words) {
      if (contains(name, word)) return &role;
    }
  }
  return nullptr;
}

/// The full name wins over a name that merely contains the word.
void offer(const PortInfo*& slot, const PortInfo& port, std::string_view full_name) {
  if (!slot || plain_name(port) == full_name) slot = &port;
}

/// The one integer input that is neither mask nor types nor positions; with several, the usual
/// name decides.
const PortInfo* pick_ids(const std::vector<const PortInfo*>& candidates) {
  if (candidates.size() == 1) return candidates.front();
  const auto usual = std::find_if(candidates.begin(), candidates.end(), [](const PortInfo* port) {
    return plain_name(*port) == "input_ids";
  });
  return usual == candidates.end() ? nullptr : *usual;
}

/// Sizes that a layout takes over from a port's fixed dimensions.
std::optional<int64_t> fixed(int64_t dim) {
  return dim == kFree ? std::nullopt : std::optional(dim);
}

bool is_grey_or_rgb(int64_t dim) { return dim == 1 || dim == 3; }

bool names_channels(const PortInfo& port, size_t axis) {
  return axis < port.dim_names.size() && contains(to_lower(port.dim_names[axis]), "channel");
}

Error no_single_port(const std::vector<PortInfo>& ports, std::string_view kind, size_t count) {
  return {
      ErrorCode::kInvalidArgument,
      fmt::format("the model has {} inputs that could take {}: pass arrays by name; it takes {}",
                  count == 0 ? "no" : "several", kind, describe_ports(ports))};
}

/// Whether sound fits, and how well: samples are usually [batch, samples] with a free length.
int sound_score(const PortInfo& port) {
  const size_t rank = port.shape.size();
  if (!is_float(port) || rank < 1 || rank > 3) return 0;
  const int by_rank = rank == 2 ? 3 : rank == 1 ? 2 : 1;
  return 2 * by_rank + (port.shape.back() == kFree ? 1 : 0);
}

}  // namespace

std::string describe_type(const PortInfo& port) {
  std::vector<std::string> dims;
  for (size_t i = 0; i < port.shape.size(); ++i) {
    const bool named = i < port.dim_names.size() && !port.dim_names[i].empty();
    if (port.shape[i] != kFree) {
      dims.push_back(std::to_string(port.shape[i]));
    } else {
      dims.push_back(named ? port.dim_names[i] : "?");
    }
  }
  return fmt::format("{} [{}]", data_type_name(port.type), join(dims, ", "));
}

std::string describe_ports(const std::vector<PortInfo>& ports) {
  std::vector<std::string> parts;
  for (const PortInfo& port : ports) {
    parts.push_back(fmt::format("{} {}{}", port.name, describe_type(port),
                                port.optional_input ? " (optional)" : ""));
  }
  return join(parts, "; ");
}

const PortInfo* find_port(const std::vector<PortInfo>& ports, std::string_view name) {
  const auto it = std::find_if(ports.begin(), ports.end(),
                               [&](const PortInfo& port) { return port.name == name; });
  return it == ports.end() ? nullptr : &*it;
}

TextPorts find_text_ports(const std::vector<PortInfo>& ports) {
  TextPorts found;
  std::vector<const PortInfo*> unnamed;
  for (const PortInfo& port : ports) {
    if (!is_row_or_matrix(port)) continue;
    const Role* role = role_of(port);
    if (role) {
      offer(found.*(role->slot), port, role->words.front());
    } else if (is_integer(port)) {
      unnamed.push_back(&port);
    }
  }
  found.ids = pick_ids(unnamed);
  return found;
}

std::optional<ImageLayout> image_layout(const PortInfo& port) {
  const auto& shape = port.shape;
  const bool takes_pixels = is_float(port) || port.type == DataType::kUint8;
  if (!takes_pixels || shape.size() != 4 || is_past_cache(port)) return std::nullopt;
  if (is_grey_or_rgb(shape[1]) && !names_channels(port, 3)) {
    return ImageLayout{false, shape[1], fixed(shape[2]), fixed(shape[3])};
  }
  if (is_grey_or_rgb(shape[3])) {
    return ImageLayout{true, shape[3], fixed(shape[1]), fixed(shape[2])};
  }
  if (shape[3] == kFree && names_channels(port, 3)) {
    return ImageLayout{true, 3, fixed(shape[1]), fixed(shape[2])};
  }
  if (shape[1] != kFree) return std::nullopt;
  return ImageLayout{false, 3, fixed(shape[2]), fixed(shape[3])};
}

bool is_past_cache(const PortInfo& port) {
  return port.shape.size() == 4 && port.shape[2] == kFree && plain_name(port).starts_with("past");
}

Result<const PortInfo*> find_image_port(const std::vector<PortInfo>& ports) {
  std::vector<const PortInfo*> found;
  for (const PortInfo& port : ports) {
    if (image_layout(port)) found.push_back(&port);
  }
  if (found.size() == 1) return found.front();
  return no_single_port(ports, "an image", found.size());
}

Result<const PortInfo*> find_sound_port(const std::vector<PortInfo>& ports) {
  int best = 0;
  std::vector<const PortInfo*> found;
  for (const PortInfo& port : ports) {
    const int score = sound_score(port);
    if (score == 0 || score < best) continue;
    if (score > best) found.clear();
    best = score;
    found.push_back(&port);
  }
  if (found.size() == 1) return found.front();
  return no_single_port(ports, "sound", found.size());
}

}  // namespace wattwise::input
