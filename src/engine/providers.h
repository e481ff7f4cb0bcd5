// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/env.h"
#include "engine/runtime.h"

namespace wattwise::engine {

/// An execution provider: what it needs and whether it can run here. The functions that append it
/// to a session live beside the table in providers.cc.
struct ProviderRow {
  std::string_view id;        ///< "cpu"
  std::string_view ort_name;  ///< "CPUExecutionProvider"
  std::string_view needs;     ///< for people: hardware, driver, package
  std::string_view fallback;  ///< id of the provider that takes over; "" for none
  bool dedicated_accelerator;
};

std::span<const ProviderRow> provider_table();

/// Whether a provider can run here, with the reason if not.
struct ProviderStatus {
  std::string id;
  bool available = false;
  std::string reason;
};
std::vector<ProviderStatus> probe_providers(const Runtime& runtime);

}  // namespace wattwise::engine
