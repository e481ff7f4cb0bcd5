// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/fields.h"
#include "model/reader.h"

namespace wattwise::model {

/// A ValueInfoProto with its type.
Value read_value(Reader message, ItemBudget& budget);

}  // namespace wattwise::model
