// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <vector>

#include "cli/command.h"
#include "cli/run.h"
#include "core/env.h"
#include "core/error_table.h"
#include "core/json.h"
#include "core/text.h"

namespace wattwise::cli {
namespace {

/// Set by Ctrl-C and by what asks for an end as politely; the progress callback then cancels and
/// nothing half-written stays.
std::atomic<bool> interrupted{false};

constexpr int kUsageExitCode = 2;

struct GlobalOptions {
  bool json = false;
  bool explain = false;
  std::string config_file;
  DeploymentOptions deployment;
};

void print(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
}

/// Longer lines are cut in the middle: what happened stands at one end, what to do at the other.
constexpr size_t kMaxLine = 2000;

/// One readable line, whatever names from foreign files it quotes.
std::string one_line(std::string_view text) {
  std::string line = valid_utf8(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  if (line.size() <= kMaxLine) return line;
  return valid_utf8(line.substr(0, kMaxLine / 2)) + " ... " +
         valid_utf8(line.substr(line.size() - kMaxLine / 2));
}

/// The same error for programs, where the result would stand.
void print_document(std::string_view code, const std::string& message, int exit_code) {
  const Json error = {{"code", code}, {"message", message}, {"exit_code", exit_code}};
  print(stdout, write_json({{"error", error}}, 1) + "\n");
}

int fail(const Error& error, bool json) {
  const ErrorRow& row = error_row(error.code());
  const std::string message = one_line(error.to_string());
  print(stderr, fmt::format("wattwise: {}\n", message));
  if (json) print_document(row.name, message, row.exit_code);
  return row.exit_code;
}

int fail_usage(const std::string& message, bool json) {
  print(stderr, fmt::format("wattwise: {} Try --help.\n", message));
  if (json) print_document(error_row(ErrorCode::kInvalidArgument).name, message, kUsageExitCode);
  return kUsageExitCode;
}

/// Whether a document was asked for, in words that could not be understood as a whole.
bool wants_json(int argc, char** argv) {
  return std::any_of(argv, argv + argc,
                     [](const char* word) { return std::string_view(word) == "--json"; });
}

void add_global_options(CLI::App& app, GlobalOptions& options) {
  DeploymentOptions& deployment = options.deployment;
  app.add_option("--db-path", deployment.db_path, "database file (else $WATTWISE_DB, else XDG)");
  app.add_option("--config", options.config_file, "JSON file whose keys override the profile's");
  app.add_option("--data-dir", deployment.data_folder, "folder that overlays the built-in tables");
  app.add_option("--log-level", deployment.log_level, "debug, info, warning or error");
  app.add_option("--onnxruntime-library", deployment.onnxruntime_library, "library to use");
  app.add_option("--power-profile", deployment.power_profile, "e.g. BALANCED, POWER_SAVER");
  app.add_option("--deployment-target", deployment.deployment_target, "e.g. ANDROID, DESKTOP");
  app.add_flag("--json", options.json, "print one JSON document");
  app.add_flag("--explain", options.explain, "also print what was decided and why");
}

/// Progress for people: nothing in the first second, then a line per stage.
ProgressCallback make_progress() {
  const Seconds start = system_env().monotonic_now();
  return [start, last = std::string()](std::string_view stage, double fraction) mutable {
    const Seconds elapsed = system_env().monotonic_now() - start;
    if (elapsed > Seconds(1) && stage != last) {
      print(stderr, fmt::format("[{:3.0f} %] {}\n", fraction * 100, stage));
      last = stage;
    }
    return !interrupted.load();
  };
}

void log_to_stderr(std::string_view level, std::string_view module, std::string_view message) {
  print(stderr, fmt::format("{} {}: {}\n", level, module, one_line(message)));
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const CommandRow& row : command_table()) names.emplace_back(row.name);
  return names;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> subcommand_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

/// What is wrong with the words, with the nearest known one for a mistyped command or option.
std::string explain_usage(CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  const auto chosen = app.get_subcommands();
  const CLI::App& scope = chosen.empty() ? app : *chosen.front();
  std::vector<std::string> known = option_names(app);
  if (!chosen.empty()) {
    const auto own = option_names(scope);
    known.insert(known.end(), own.begin(), own.end());
    std::sort(known.begin(), known.end());
    known.erase(std::unique(known.begin(), known.end()), known.end());
  }
  const std::vector<std::string> commands = command_names();
  for (int i = 1; i < argc; ++i) {
    const std::string word = split(argv[i], '=').front();
    const bool is_option = word.starts_with("--");
    if (is_option && std::find(known.begin(), known.end(), word) == known.end()) {
      return fmt::format("unknown option \"{}\".{}", word, suggestion(word, known));
    }
    if (is_option && word == argv[i] && word != "--json" && word != "--explain") ++i;
    if (!is_option && chosen.empty()) {
      return fmt::format("unknown command \"{}\".{}", word, suggestion(word, commands));
    }
  }
  if (chosen.empty()) return fmt::format("a command is needed: {}.", join(commands, ", "));
  if (const auto inner = subcommand_names(scope); !inner.empty()) {
    const std::string name = scope.get_name();
    char** end = argv + argc;
    char** given = std::find(argv, end, name);
    char** extra = std::find_if(given == end ? end : given + 1, end,
                                [](const char* word) { return word[0] != '-'; });
    if (extra == end) {
      return fmt::format("{} needs one of these after it: {}.", name, join(inner, ", "));
    }
    if (std::find(inner.begin(), inner.end(), *extra) == inner.end()) {
      return fmt::format("{} has no \"{}\".{}", name, *extra, suggestion(*extra, inner));
    }
  }
  std::string message = error.what();
  constexpr std::string_view kMissing = ": 1 required TEXT missing";
  if (message.ends_with(kMissing)) {
    message = message.substr(0, message.size() - kMissing.size()) + " needs a value";
  }
  return message.ends_with('.') ? message : message + ".";
}

/// Runs a command; memory that is not to be had is an error like any other.
Result<Output> perform(const Action& action, Invocation& invocation) {
  try {
    return action(invocation);
  } catch (const std::bad_alloc&) {
    return Error(ErrorCode::kExhausted, "there is not enough memory; use a smaller model or input");
  } catch (const std::length_error&) {
    return Error(ErrorCode::kExhausted,
                 "a size is beyond all memory; use a smaller model or input");
  }
}

}  // namespace

int run(int argc, char** argv) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    std::signal(signal, [](int) { interrupted = true; });
  }
  CLI::App app("Power-efficient model deployment: prepare, run and account for ONNX models.",
               "wattwise");
  app.set_version_flag("--version", std::string(version()));
  app.require_subcommand(1);
  app.fallthrough();
  GlobalOptions options;
  add_global_options(app, options);
  std::vector<std::pair<CLI::App*, Action>> actions;
  for (const CommandRow& row : command_table()) {
    CLI::App* command = app.add_subcommand(std::string(row.name), std::string(row.help));
    command->fallthrough();
    Options declared(*command);
    actions.emplace_back(command, row.declare(declared));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return fail_usage(explain_usage(app, error, argc, argv), wants_json(argc, argv));
  }
  if (!options.config_file.empty()) options.deployment.config_files = {options.config_file};
  options.deployment.progress = make_progress();
  options.deployment.log = log_to_stderr;
  Invocation invocation{options.deployment, options.explain};
  for (const auto& [command, action] : actions) {
    if (!command->parsed()) continue;
    const auto output = perform(action, invocation);
    if (!output) return fail(output.error(), options.json);
    const std::string& text = options.json ? output->json : output->text;
    print(stdout, text.ends_with('\n') ? text : text + "\n");
    return std::fflush(stdout) == 0 ? 0 : fail({ErrorCode::kIo, "cannot write the result"}, false);
  }
  return fail_usage("a command is needed.", options.json);
}

}  // namespace wattwise::cli
