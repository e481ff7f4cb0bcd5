// SPDX-License-Identifier: Apache-2.0
#include "core/error_table.h"

namespace wattwise {

const ErrorRow& error_row(ErrorCode code) {
  for (const ErrorRow& row : kErrorTable) {
    if (row.code == code) return row;
  }
  return kErrorTable.back();
}

}  // namespace wattwise
