// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "wattwise/types.h"

namespace wattwise::cli {

/// "12.3 mW (estimated, 8.1 to 18)", "1.2 ms (measured: wall clock)" or "not available (reason)".
std::string show_figure(const Figure& figure, std::string_view unit);

/// "label            value" with the values aligned, one line each.
class Lines {
 public:
  void add(std::string label, std::string value);
  /// A line of its own, as it is.
  void add(std::string line);
  std::string to_string() const;

 private:
  struct Line {
    std::string label;
    std::string value;
    bool whole = false;
  };
  std::vector<Line> lines_;
};

/// One line per decision: "action  subject: reason".
std::string show_decisions(const std::vector<Decision>& decisions);

/// One line per quantized layer, in the order given: its share of the outputs' error, format, what
/// hurt it and what was done.
std::string show_layers(const std::vector<LayerQuantization>& layers);

/// 1234567 as "1.23 M".
std::string show_count(int64_t count);

}  // namespace wattwise::cli
