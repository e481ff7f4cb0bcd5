// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "quantize/integer_plan.h"

namespace wattwise::quantize {

/// For values of which it does not matter how far below a bound they are: the bound. HardSwish, as
/// x times HardSigmoid(x), is 0 for every x below -3; so is what a Relu makes of any x below 0.
/// 8 bits need not tell such elements apart.
std::map<std::string, double> lowest_effective(const optimize::GraphEditor& graph,
                                               const std::vector<IntegerStep>& steps);

}  // namespace wattwise::quantize
