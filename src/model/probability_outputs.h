// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>

#include "model/graph.h"

namespace wattwise::model {

/// Names of the outputs whose values are probabilities, between 0 and 1: those that Sigmoid or
/// Softmax makes, be it through nodes that only move values.
std::set<std::string> probability_outputs(const Model& model);

}  // namespace wattwise::model
