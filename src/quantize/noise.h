// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/calibrate.h"
#include "quantize/integer_plan.h"
#include "quantize/integer_writer.h"

namespace wattwise::quantize {

/// What holding each of these values in 8 bits over its range does to the outputs of the float
/// model on a small sample: squared error over variance, summed over the float outputs. Where the
/// last operator is a Softmax or Sigmoid, its input counts, which shows errors before they flip a
/// decision. Empty for a model without float outputs. All are measured together (signed_sums.h)
/// where the outputs have many elements; else costs one inference per value.
Result<NoiseTable> measure_noise(const model::Model& model, const RangeTable& ranges,
                                 const CalibrationData& data, const Progress& progress);

/// The float outputs of a graph, or what the Softmax or Sigmoid that makes one reads.
std::vector<std::string> score_names(const model::Graph& graph);

/// The same for constants of the main graph that are replaced, one at a time, by these, which have
/// their names and shapes. In their order; empty for a model without float outputs. Costs one
/// session and one inference for each.
Result<std::vector<double>> measure_replacements(const model::Model& model,
                                                 const std::vector<model::Constant>& replacements,
                                                 const CalibrationData& data,
                                                 const Progress& progress);

}  // namespace wattwise::quantize
