// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <string>
#include <string_view>

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
  Action (*declare)(CLI::App& command);
};

std::span<const CommandRow> command_table();

// Each in its own file of commands/.
Action declare_prepare(CLI::App& command);
Action declare_optimize(CLI::App& command);
Action declare_load(CLI::App& command);
Action declare_inference(CLI::App& command);
Action declare_status(CLI::App& command);
Action declare_report(CLI::App& command);
Action declare_inspect(CLI::App& command);
Action declare_compare(CLI::App& command);
Action declare_config(CLI::App& command);
Action declare_doctor(CLI::App& command);

}  // namespace wattwise::cli
