// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace wattwise::cli {

/// Declares the options of a command. Values are bound by reference: they must live until the words
/// are parsed. Only options.cc and run.cc see CLI11, whose templates take seconds to compile.
class Options {
 public:
  /// `app` must outlive this object.
  explicit Options(CLI::App& app) : app_(app) {}

  /// `names` as in "--name", "name" (by position) or "name,--name".
  void add_text(const std::string& names, std::string& value, const std::string& help);
  /// The same; leaving it out is an error.
  void add_required_text(const std::string& names, std::string& value, const std::string& help);
  /// May be repeated; each use takes one word, whatever it holds.
  void add_texts(const std::string& names, std::vector<std::string>& values,
                 const std::string& help);
  void add_flag(const std::string& names, bool& value, const std::string& help);
  /// A whole number of 1 to 1,000,000.
  void add_count(const std::string& names, int64_t& value, const std::string& help);
  /// A word that must follow the command: one of those that were added.
  void add_word(const std::string& name, const std::string& help);

 private:
  CLI::App& app_;
};

}  // namespace wattwise::cli
