// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/json.h"
#include "wattwise/deployment.h"

namespace wattwise::deploy {

/// The result that to_document() wrote, which leaves out where the original's figures come from:
/// that is provenance() of them. kCorrupt for a document that lacks a key or holds another type.
Result<PrepareResult> read_prepare_result(const Json& document, const Json& original_provenance);

}  // namespace wattwise::deploy
