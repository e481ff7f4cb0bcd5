// SPDX-License-Identifier: Apache-2.0
#include "input/prepare_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"
#include "input/array_file.h"
#include "input/feed.h"
#include "input/fit.h"
#include "input/ports.h"
#include "input/raw_file.h"

namespace wattwise::input {
namespace {

using Feed = Result<PreparedInputs>;

constexpr std::string_view kText = "text";

/// A key that names a kind of input instead of an input.
struct KindRow {
  std::string_view key;
  Result<const PortInfo*> (*find)(const std::vector<PortInfo>& ports);
};
constexpr std::array<KindRow, 2> kKinds = {
    {{"image", find_image_port}, {"audio", find_sound_port}}};

std::vector<const PortInfo*> required_ports(const FeedContext& context) {
  std::vector<const PortInfo*> ports;
  for (const PortInfo& port : context.ports) {
    if (!port.optional_input) ports.push_back(&port);
  }
  return ports;
}

/// The one input that a model needs, or null.
const PortInfo* only_port(const FeedContext& context) {
  const auto ports = required_ports(context);
  return ports.size() == 1 ? ports.front() : nullptr;
}

bool is_integer(DataType type) { return type == DataType::kInt64 || type == DataType::kInt32; }

/// Whether an unnamed array can be meant for the port.
bool is_match(const Tensor& array, const PortInfo& port) {
  if (image_layout(port) && is_picture(array)) return true;
  const bool same_kind = is_integer(array.type) == is_integer(port.type);
  return same_kind && shape_fits(array.shape, port);
}

/// The input that an unnamed array is meant for.
Result<const PortInfo*> choose_port(const FeedContext& context, const Tensor& array) {
  const auto ports = required_ports(context);
  const PortInfo* ids = find_text_ports(context.ports).ids;
  if (ids && is_integer(array.type) && shape_fits(array.shape, *ids)) return ids;
  std::vector<const PortInfo*> matches;
  std::copy_if(ports.begin(), ports.end(), std::back_inserter(matches),
               [&](const PortInfo* port) { return is_match(array, *port); });
  if (matches.size() == 1) return matches.front();
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("an array {} fits {} of the model's inputs: pass it by name; the model "
                           "takes {}",
                           describe_tensor(array), matches.empty() ? "none" : "several",
                           describe_ports(context.ports)));
}

/// The port behind a key: its own name, or the one port of that kind. Null for "" and "text".
Result<const PortInfo*> resolve_key(const FeedContext& context, const std::string& key) {
  if (const PortInfo* port = find_port(context.ports, key)) return port;
  if (key.empty() || key == kText) return static_cast<const PortInfo*>(nullptr);
  for (const KindRow& kind : kKinds) {
    if (key == kind.key) return kind.find(context.ports);
  }
  std::vector<std::string> known;
  for (const PortInfo& port : context.ports) known.push_back(port.name);
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("the model has no input \"{}\".{} It takes {}", key,
                           suggestion(key, known), describe_ports(context.ports)));
}

Tensor string_tensor(const std::string& text, const PortInfo& port) {
  return {DataType::kString, std::vector<int64_t>(port.shape.size(), 1), {}, {text}};
}

Feed feed_texts(const FeedContext& context, const PortInfo* port,
                std::span<const std::string> texts) {
  if (!port) port = only_port(context);
  if (port && port->type == DataType::kString && texts.size() == 1) {
    return feed_array(*port, string_tensor(texts.front(), *port));
  }
  const PortInfo* ids = find_text_ports(context.ports).ids;
  if (port && ids && port != ids) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the input {} takes {}, not text: pass the text as {}, or an array",
                             port->name, describe_type(*port), ids->name));
  }
  return feed_text(context, texts);
}

Feed feed_tensor(const FeedContext& context, const PortInfo* port, const Tensor& array) {
  if (!port) port = only_port(context);
  if (array.type == DataType::kString && !(port && port->type == DataType::kString)) {
    if (!find_text_ports(context.ports).ids) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("an array of texts cannot be fed to this model: pass numbers; it "
                               "takes {}",
                               describe_ports(context.ports)));
    }
    return feed_texts(context, port, array.strings);
  }
  if (!port) port = WATTWISE_TRY(choose_port(context, array));
  const bool fits_as_it_is = array.shape.size() == port->shape.size() &&
                             shape_fits(array.shape, *port) && !context.preprocessor.image;
  if (is_picture(array) && image_layout(*port) && !fits_as_it_is) {
    return feed_picture(context, *port, array);
  }
  return feed_array(*port, array);
}

/// The arrays of an archive go to the inputs of their names; a single one is like a bare array.
Feed feed_archive(const FeedContext& context, const PortInfo* port, const std::string& path) {
  const TensorMap arrays = WATTWISE_TRY(read_npz(context.env, path));
  if (arrays.size() == 1 && !find_port(context.ports, arrays.begin()->first)) {
    return feed_tensor(context, port, arrays.begin()->second);
  }
  if (port) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} holds {} arrays, but {} takes one: pass the archive without a "
                             "name, or an .npy file",
                             path, arrays.size(), port->name));
  }
  PreparedInputs prepared;
  for (const auto& [name, array] : arrays) {
    const PortInfo* named = WATTWISE_TRY(resolve_key(context, name));
    PreparedInputs fed = WATTWISE_TRY(feed_tensor(context, named, array));
    WATTWISE_TRY(merge_inputs(prepared, std::move(fed)));
  }
  return prepared;
}

Feed feed_image_file(const FeedContext& context, const PortInfo* port, const std::string& path) {
  const Tensor picture = WATTWISE_TRY(read_image(context.env, path));
  if (!port) port = WATTWISE_TRY(find_image_port(context.ports));
  return feed_picture(context, *port, picture);
}

Feed feed_sound_file(const FeedContext& context, const PortInfo* port, const std::string& path) {
  const Sound sound = WATTWISE_TRY(read_sound(context.env, path));
  if (!port) port = WATTWISE_TRY(find_sound_port(context.ports));
  return feed_sound(context, *port, sound, path);
}

Feed feed_array_file(const FeedContext& context, const PortInfo* port, const std::string& path) {
  const Tensor array = WATTWISE_TRY(read_npy(context.env, path));
  return feed_tensor(context, port, array);
}

Feed feed_file(const FeedContext& context, const PortInfo* port, const std::string& path,
               FileKind kind) {
  switch (kind) {
    case FileKind::kArray:
      return feed_array_file(context, port, path);
    case FileKind::kArchive:
      return feed_archive(context, port, path);
    case FileKind::kImage:
      return feed_image_file(context, port, path);
    case FileKind::kSound:
      return feed_sound_file(context, port, path);
  }
  return Error(ErrorCode::kInternal, fmt::format("{} is of an unlisted kind", path));
}

Feed feed_string(const FeedContext& context, const std::string& key, const std::string& text) {
  const PortInfo* port = WATTWISE_TRY(resolve_key(context, key));
  const bool is_text = !port && key == kText;
  const auto kind = is_text ? std::nullopt : WATTWISE_TRY(identify_file(context.env, text));
  if (kind) return feed_file(context, port, text, *kind);
  return feed_texts(context, port, {&text, 1});
}

/// 16-bit samples, as sound devices deliver them, to [-1, 1).
Tensor scale_samples(const Tensor& samples) {
  constexpr float kFullScale = 32768;
  std::vector<float> scaled;
  for (const int16_t sample : samples.values<int16_t>()) scaled.push_back(sample / kFullScale);
  return make_float_tensor(samples.shape, scaled);
}

Feed feed_value(const FeedContext& context, const std::string& key, const RawValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return feed_string(context, key, *text);
  const Tensor& array = std::get<Tensor>(value);
  const PortInfo* port = WATTWISE_TRY(resolve_key(context, key));
  const bool is_pcm = port && key != port->name && array.type == DataType::kInt16 &&
                      port->type == DataType::kFloat && !image_layout(*port);
  if (!is_pcm) return feed_tensor(context, port, array);
  PreparedInputs prepared = WATTWISE_TRY(feed_array(*port, scale_samples(array)));
  prepared.decisions.push_back({"scale", port->name, "16-bit samples divided by 32768"});
  return prepared;
}

}  // namespace

Result<PreparedInputs> prepare_inputs(const Env& env, const Preprocessor& preprocessor,
                                      const std::vector<PortInfo>& ports, const RawInput& raw) {
  const FeedContext context{env, preprocessor, ports};
  PreparedInputs prepared;
  for (const auto& [key, value] : raw.values) {
    PreparedInputs fed = WATTWISE_TRY(feed_value(context, key, value));
    WATTWISE_TRY(merge_inputs(prepared, std::move(fed)));
  }
  return fill_missing(context, std::move(prepared));
}

}  // namespace wattwise::input
