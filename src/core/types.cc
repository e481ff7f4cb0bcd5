// SPDX-License-Identifier: Apache-2.0
#include "wattwise/types.h"

#include <utility>

namespace wattwise {

Figure Figure::measured(double value, std::string method) {
  return {value, std::nullopt, std::nullopt, Origin::kMeasured, std::move(method)};
}

Figure Figure::measured(double value, double low, double high, std::string method) {
  return {value, low, high, Origin::kMeasured, std::move(method)};
}

Figure Figure::estimated(double value, double low, double high, std::string method) {
  return {value, low, high, Origin::kEstimated, std::move(method)};
}

Figure Figure::absent(std::string reason) {
  return {std::nullopt, std::nullopt, std::nullopt, Origin::kAbsent, std::move(reason)};
}

}  // namespace wattwise
