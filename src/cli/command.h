// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "cli/options.h"
#include "core/json.h"
#include "wattwise/deployment.h"

namespace wattwise::cli {

/// What a command prints: one JSON document with --json, else `text`.
struct Output {
  std::string json;
  std::string text;
};

/// Opens the deployment that the global options describe; a command may add layers of its own.
struct Invocation {
  DeploymentOptions options;
  bool explain = false;  ///< also print decisions
};

using Action = std::function<Result<Output>(Invocation&)>;

/// One sub-command. `declare` adds its options to `command` and returns what to run after parsing.
struct CommandRow {
  std::string_view name;
  std::string_view help;
  Action (*declare)(Options& command);
};

std::span<const CommandRow> command_table();

// Each in its own file of commands/.
Action declare_prepare(Options& command);
Action declare_optimize(Options& command);
Action declare_load(Options& command);
Action declare_inference(Options& command);
Action declare_status(Options& command);
Action declare_report(Options& command);
Action declare_inspect(Options& command);
Action declare_compare(Options& command);
Action declare_config(Options& command);
Action declare_doctor(Options& command);

}  // namespace wattwise::cli
