// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "engine/session.h"

namespace wattwise::engine {

/// The runtime that tests run their models with.
inline std::shared_ptr<Runtime> runtime_for_tests() {
  auto loaded = load_runtime(system_env(), {});
  EXPECT_TRUE(loaded.has_value()) << (loaded ? "" : loaded.error().to_string());
  return loaded ? *loaded : nullptr;
}

}  // namespace wattwise::engine
