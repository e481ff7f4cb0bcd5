// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/env.h"
#include "model/graph.h"

namespace wattwise::model {

/// Reads an ONNX file. Weights stay in the mapped file (external data files are mapped too).
/// kNotFound; kCorrupt for damaged or hostile content: truncated, sizes that do not match,
/// graphs nested deeper than 64, external data outside the model's folder or reached through a
/// link out of it. The message names the file and the place.
Result<Model> load(Env& env, const std::string& path);

/// The same from memory. External data is refused.
Result<Model> parse(const Bytes& content, const std::string& source_name);

}  // namespace wattwise::model
