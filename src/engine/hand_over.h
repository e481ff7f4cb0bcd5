// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/env.h"
#include "engine/ort.h"
#include "model/graph.h"

// Inside engine only: how the weights of a model in memory get into a session.
namespace wattwise::engine {

/// Whether a model is worth being handed over in parts and not as one buffer.
bool has_large_weights(const model::Model& model);

/// What must live as long as the session.
struct HandedWeights {
  std::vector<Bytes> bytes;
  std::vector<ValuePtr> values;
};

/// The model's files that the runtime can read by itself: they lie in one folder, it takes no more,
/// and nobody has changed them since.
std::vector<model::SourceFile> reachable_files(const Env& env, const model::Model& model);

/// The model without its large constants. Those that lie in one of the files, all of one folder,
/// are read from there by the runtime without a copy; it is handed the others as values over their
/// memory, which it copies (ONNX Runtime 1.32).
Result<std::string> hand_over(const model::Model& model,
                              const std::vector<model::SourceFile>& files,
                              OrtSessionOptions* options, HandedWeights& weights);

}  // namespace wattwise::engine
