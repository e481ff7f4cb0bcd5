// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace wattwise::report {

/// A value that two models name alike, in the order of the first one's graph.
struct ChartValue {
  std::string name;
  std::string op_type;
  double relative_error = 0;  ///< largest error / largest magnitude
};

/// What a comparison of two models shows as a picture.
struct ComparisonChart {
  std::string first;   ///< the reference's name
  std::string second;  ///< the name of what is held against it
  std::vector<ChartValue> values;
  std::vector<double> first_ms;  ///< CPU times, one a run
  std::vector<double> second_ms;
};

/// An SVG picture: above the error of each value along the graph (logarithmic), below how often
/// each CPU time occurred. Colours follow a light or dark page.
std::string render_svg(const ComparisonChart& chart);
/// The picture in an HTML page, with the values of the largest errors as a table.
std::string render_page(const ComparisonChart& chart);

}  // namespace wattwise::report
