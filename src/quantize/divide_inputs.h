// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "optimize/graph_editor.h"
#include "quantize/input_statistics.h"
#include "quantize/quantize.h"

namespace wattwise::quantize {

/// A value whose columns are divided, and the matrices that multiply it, whose rows are multiplied
/// by the same: X W = (X / d) (d W). In names: pointers into the model do not outlive its editing.
struct DividedInput {
  ProductInput input;
  std::vector<float> divisors;
  std::vector<std::string> weights;
  bool is_worth_node = true;
};

/// Where a division went.
enum class DivisionPlace { kConstants, kNode, kNowhere };

/// That, and the name of what the matrices multiply now.
struct Division {
  DivisionPlace place = DivisionPlace::kNowhere;
  std::string input;
};

/// Does so, exactly: the division goes into the constants that make the value, if nothing else
/// reads it, or into a new Mul if it is worth one.
Division divide_input(optimize::GraphEditor& graph, const model::ShapeTable& shapes,
                      const DividedInput& item);

/// What a technique chose for one input, and why.
struct ChosenDivisors {
  std::vector<float> divisors;  ///< empty: the input stays as it is
  std::string reason;
  bool is_worth_node = true;  ///< where no constants take the divisors
};
using ChooseDivisors = std::function<ChosenDivisors(const InputStatistics& statistics,
                                                    const std::vector<Floats>& matrices)>;

/// How decisions and applied optimizations name a technique, and what it looks at.
struct DivisionNames {
  std::string action;
  std::string applied;
  Detail detail = Detail::kExtremes;  ///< what else is to be known of the values afterwards
};

/// What was done, and the statistics of what matrices multiply after it, where these were to have
/// Gram matrices and all of them found room in kGramBytes; else none.
struct DividedModel {
  MethodOutcome outcome;
  StatisticsTable statistics;
};

/// Divides what matrices read by what `choose` says of it and the matrices.
Result<DividedModel> divide_inputs(model::Model& model, const MethodContext& context,
                                   const DivisionNames& names, const ChooseDivisors& choose);

}  // namespace wattwise::quantize
