// SPDX-License-Identifier: Apache-2.0
#include "deploy/companions.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/atomic_file.h"
#include "input/preprocessor.h"

namespace wattwise::deploy {
namespace {

/// The longer of two names of which one ends with the other comes first.
constexpr std::array<std::string_view, 4> kNames = {
    "preprocessor_config.json", "tokenizer_config.json", "tokenizer.json", "config.json"};

/// Which of these files it is, whatever stands before its name.
std::string_view plain_name(std::string_view path) {
  const auto it = std::find_if(kNames.begin(), kNames.end(),
                               [&](std::string_view name) { return path.ends_with(name); });
  return it == kNames.end() ? path : *it;
}

}  // namespace

Result<void> stage_companions(Env& env, const std::string& input, const std::string& output,
                              const Staging& staging) {
  if (parent_path(input) == parent_path(output)) return {};
  const auto found = WATTWISE_TRY(input::load_preprocessor(env, input));
  const auto there = input::load_preprocessor(env, output);  // what cannot be read is there as well
  for (const std::string& path : found.files) {
    const std::string_view name = plain_name(path);
    const auto same = [&](const std::string& other) { return plain_name(other) == name; };
    if (!there || std::any_of(there->files.begin(), there->files.end(), same)) continue;
    const std::string content = WATTWISE_TRY(env.read_file(path));
    WATTWISE_TRY(write_file_atomically(env, staging.path(std::string(name)), content));
  }
  return {};
}

}  // namespace wattwise::deploy
