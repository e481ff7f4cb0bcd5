// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "model/graph.h"

namespace wattwise::model {

/// For inputs that hold one integer: a value that the graph itself asks for by comparing the input
/// (or a cast or reshaped copy of it) with a constant, the first such constant in node order. A
/// model that branches on a sampling rate runs with the rates it names and with no others.
std::map<std::string, int64_t> scalar_choices(const Model& model);

/// For inputs of integers that are looked up in constant tables: how many rows the smallest of them
/// has, which all integers must stay below.
std::map<std::string, int64_t> index_limits(const Model& model);

}  // namespace wattwise::model
