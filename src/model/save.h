// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <unordered_map>

#include "core/env.h"
#include "model/graph.h"

namespace wattwise::model {

/// Receives a file in order, piece by piece. Big pieces point straight at the weights.
using ByteSink = std::function<Result<void>(std::span<const std::byte>)>;

/// A place in a data file.
struct ExternalPlace {
  std::string file;
  uint64_t offset = 0;
};

/// Where constants lie outside of the model file.
using ExternalLayout = std::unordered_map<const Constant*, ExternalPlace>;

/// Size of the file that write() would make.
uint64_t serialized_size(const Model& model);

/// Writes the model as one ONNX file, streaming: no second copy of the weights is made.
/// kUnsupported above 2 GiB, the limit of the format itself.
Result<void> write(const Model& model, const ByteSink& sink);

/// The file as bytes; for small models and for handing to a runtime.
Result<std::string> serialize(const Model& model);

/// The same without the data of these constants: only names, types and shapes of those, and where
/// the data lies. For a runtime that finds it there or is given it otherwise.
Result<std::string> serialize(const Model& model, const ExternalLayout& external);

/// The data file beside a model file that save() names by itself: the name and ".data".
std::string data_file_of(const std::string& path);
/// Bytes of a file that save() wrote, with its data file if it has one.
uint64_t saved_size(const Env& env, const std::string& path);

/// Writes `path` atomically. Above 2 GiB, or when `external_data` names a file (no folder part),
/// initializers and `Constant` nodes of 1 kB and more, of every graph, go to that file beside it,
/// 64-byte aligned (4 KiB from 1 MiB on). A failure leaves both files as they were. Only a crash of
/// the machine between the two renames can leave a new data file beside an old model.
/// kInvalidArgument for a data file in another folder; kUnsupported when what cannot go to the data
/// file is above 2 GiB; kIo.
Result<void> save(Env& env, const Model& model, const std::string& path,
                  const std::string& external_data = "");

}  // namespace wattwise::model
