// SPDX-License-Identifier: Apache-2.0
#include "cli/metric_command.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <memory>

#include "core/env.h"
#include "core/temporary_folder.h"
#include "core/text.h"
#include "input/array_file.h"
#include "input/prepare_inputs.h"

namespace wattwise::cli {
namespace {

void add_output(const std::vector<TensorMap>& outputs, const std::string& name, TensorMap& arrays) {
  std::vector<TensorMap> column;
  for (const TensorMap& sample : outputs) column.push_back({{name, sample.at(name)}});
  if (auto stacked = input::stack(column)) {
    arrays.merge(*stacked);
    return;
  }
  for (size_t i = 0; i < column.size(); ++i) {
    arrays[fmt::format("{}/{}", name, i)] = column[i].at(name);
  }
}

TensorMap to_arrays(const std::vector<TensorMap>& outputs,
                    const std::vector<std::vector<double>>& labels) {
  TensorMap arrays;
  for (const auto& [name, tensor] : outputs.front()) add_output(outputs, name, arrays);
  std::vector<double> all;
  for (const auto& some : labels) all.insert(all.end(), some.begin(), some.end());
  if (!all.empty()) {
    arrays["labels"] = Tensor{DataType::kDouble,
                              {static_cast<int64_t>(all.size())},
                              Bytes::copy_of(std::span<const double>(all)),
                              {}};
  }
  return arrays;
}

/// What the command prints; absent if it cannot be started or fails.
std::optional<std::string> printed_by(const std::string& line) {
  const auto close = [](FILE* pipe) { pclose(pipe); };
  std::unique_ptr<FILE, decltype(close)> pipe(popen(line.c_str(), "r"), close);
  if (!pipe) return std::nullopt;
  std::string text;
  std::array<char, 4096> part{};
  for (size_t count = 0; (count = fread(part.data(), 1, part.size(), pipe.get())) > 0;) {
    text.append(part.data(), count);
  }
  return pclose(pipe.release()) == 0 ? std::optional(text) : std::nullopt;
}

std::optional<double> last_number(std::string_view text) {
  text = trim(text);
  const size_t blank = text.find_last_of(" \t\r\n");
  if (blank != std::string_view::npos) text.remove_prefix(blank + 1);
  double number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return whole ? std::optional(number) : std::nullopt;
}

Result<double> run_command(const std::string& command, const std::string& file) {
  const auto printed = printed_by(fmt::format("{} '{}'", command, file));
  if (!printed) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("the metric command \"{}\" failed: it must end with exit code 0", command));
  }
  if (const auto number = last_number(*printed)) return *number;
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("the metric command \"{}\" must print a number at its end, it printed "
                           "\"{}\"",
                           command, trim(printed->substr(0, 80))));
}

}  // namespace

TaskMetric metric_command(const std::string& command) {
  return [command](const std::vector<TensorMap>& outputs,
                   const std::vector<std::vector<double>>& labels) -> Result<double> {
    Env& env = system_env();
    const auto folder = WATTWISE_TRY(TemporaryFolder::create(env));
    const std::string file = join_path(folder->path(), "predictions.npz");
    WATTWISE_TRY(input::write_npz(env, file, to_arrays(outputs, labels)));
    return run_command(command, file);
  };
}

}  // namespace wattwise::cli
