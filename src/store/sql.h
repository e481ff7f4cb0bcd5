// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/embedded.h"

namespace wattwise {

/// The files of store/sql/, embedded.
std::span<const EmbeddedFile> embedded_sql();

namespace store {

/// The text of one of them. Precondition: it exists.
std::string sql_file(std::string_view name);

}  // namespace store
}  // namespace wattwise
