// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <numeric>

#include "core/text.h"
#include "input/cast.h"
#include "input/feed.h"
#include "input/fit.h"
#include "input/ports.h"

namespace wattwise::input {
namespace {

/// What the ids that are there say about the inputs that belong to them.
struct Extents {
  std::vector<int64_t> shape;  ///< of the ids
  int64_t batch = 1;
  int64_t length = 0;  ///< tokens in this step
  int64_t past = 0;    ///< tokens in the cache
};

std::optional<Extents> measure(const FeedContext& context, const TextPorts& ports,
                               const TensorMap& tensors) {
  const auto ids = ports.ids ? tensors.find(ports.ids->name) : tensors.end();
  if (ids == tensors.end() || ids->second.shape.empty()) return std::nullopt;
  Extents extents;
  extents.shape = ids->second.shape;
  extents.length = extents.shape.back();
  if (extents.shape.size() == 2) extents.batch = extents.shape.front();
  for (const PortInfo& port : context.ports) {
    const auto cache = tensors.find(port.name);
    if (is_past_cache(port) && cache != tensors.end()) extents.past = cache->second.shape[2];
  }
  return extents;
}

/// Rows that all hold the same numbers: first, first + step, ...
Tensor repeat_rows(const Extents& extents, int64_t length, int64_t first, int64_t step) {
  std::vector<int64_t> values;
  for (int64_t row = 0; row < extents.batch; ++row) {
    for (int64_t i = 0; i < length; ++i) values.push_back(first + i * step);
  }
  std::vector<int64_t> shape = extents.shape;
  shape.back() = length;
  return make_int64_tensor(shape, values);
}

std::optional<Tensor> empty_cache(const Extents& extents, const PortInfo& port) {
  std::vector<int64_t> shape = port.shape;
  if (shape[0] < 0) shape[0] = extents.batch;
  shape[2] = 0;
  if (shape[1] < 0 || shape[3] < 0) return std::nullopt;
  return Tensor{port.type, shape, {}, {}};
}

struct Filling {
  Tensor tensor;
  std::string reason;
};

/// The value that an input can only have, if there is one.
std::optional<Filling> find_filling(const Extents& extents, const TextPorts& ports,
                                    const PortInfo& port) {
  if (&port == ports.mask) {
    return Filling{repeat_rows(extents, extents.past + extents.length, 1, 0),
                   "left out: ones, every token counts"};
  }
  if (&port == ports.type_ids) {
    return Filling{repeat_rows(extents, extents.length, 0, 0), "left out: zeros, one segment"};
  }
  if (&port == ports.positions) {
    return Filling{repeat_rows(extents, extents.length, extents.past, 1), "left out: counted up"};
  }
  if (!is_past_cache(port)) return std::nullopt;
  auto cache = empty_cache(extents, port);
  if (!cache) return std::nullopt;
  return Filling{std::move(*cache), "left out: the empty cache of a first step"};
}

Error missing_inputs(const FeedContext& context, const std::vector<std::string>& missing) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("no value for {}: pass it by name; the model takes {}",
                      join(missing, " and "), describe_ports(context.ports))};
}

}  // namespace

Result<PreparedInputs> fill_missing(const FeedContext& context, PreparedInputs prepared) {
  const TextPorts text_ports = find_text_ports(context.ports);
  const auto extents = measure(context, text_ports, prepared.tensors);
  std::vector<std::string> missing;
  for (const PortInfo& port : context.ports) {
    if (port.optional_input || prepared.tensors.contains(port.name)) continue;
    auto filling = extents ? find_filling(*extents, text_ports, port) : std::nullopt;
    if (!filling) {
      missing.push_back(fmt::format("{} {}", port.name, describe_type(port)));
      continue;
    }
    FittedTensor fitted = WATTWISE_TRY(fit_tensor(filling->tensor, port));
    prepared.tensors[port.name] = std::move(fitted.tensor);
    prepared.decisions.push_back({"fill_input", port.name, std::move(filling->reason)});
  }
  if (!missing.empty()) return missing_inputs(context, missing);
  return prepared;
}

Result<void> merge_inputs(PreparedInputs& into, PreparedInputs more) {
  for (auto& [name, tensor] : more.tensors) {
    if (!into.tensors.emplace(name, std::move(tensor)).second) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("the input {} is given twice: pass it once", name));
    }
  }
  for (Decision& decision : more.decisions) into.decisions.push_back(std::move(decision));
  return {};
}

}  // namespace wattwise::input
