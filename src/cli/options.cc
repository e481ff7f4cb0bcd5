// SPDX-License-Identifier: Apache-2.0
#include "cli/options.h"

#include <CLI/CLI.hpp>

namespace wattwise::cli {

constexpr int64_t kLargestCount = 1'000'000;

void Options::add_text(const std::string& names, std::string& value, const std::string& help) {
  app_.add_option(names, value, help);
}

void Options::add_required_text(const std::string& names, std::string& value,
                                const std::string& help) {
  app_.add_option(names, value, help)->required();
}

void Options::add_texts(const std::string& names, std::vector<std::string>& values,
                        const std::string& help) {
  app_.add_option(names, values, help)->allow_extra_args(false);  // else an array is taken apart
}

void Options::add_flag(const std::string& names, bool& value, const std::string& help) {
  app_.add_flag(names, value, help);
}

void Options::add_count(const std::string& names, int64_t& value, const std::string& help) {
  app_.add_option(names, value, help)->check(CLI::Range(int64_t{1}, kLargestCount));
}

void Options::add_word(const std::string& name, const std::string& help) {
  app_.require_subcommand(1);
  app_.add_subcommand(name, help);
}

}  // namespace wattwise::cli
