// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/session.h"
#include "model/graph.h"

namespace wattwise::measure {

/// The first value, in the order of the first model, at which two models part.
struct Divergence {
  std::string value;          ///< name, the same in both models
  std::string op_type;        ///< of the node that makes it in the second model
  std::string last_equal;     ///< the value before it that still agrees; "" if none does
  double sqnr_db = 0;         ///< of the value
  double relative_error = 0;  ///< largest error / largest magnitude
  int64_t common_values = 0;  ///< how many values of the main graphs carry the same name in both
};

/// What is compared, on which input, and from which relative error on two values differ.
struct DivergenceQuery {
  const model::Model& first;
  const model::Model& second;
  const TensorMap& sample;
  double threshold = 1e-3;
};

/// How a value that both models name alike differs.
struct ValueError {
  std::string value;
  std::string op_type;  ///< of the node that makes it in the second model
  double relative_error = 0;
};

/// The errors of all values of the main graphs that both models name alike and give the same shape,
/// in the order of the first model.
Result<std::vector<ValueError>> value_errors(const std::shared_ptr<engine::Runtime>& runtime,
                                             Env& env, const DivergenceQuery& query);

/// Looks at values of the main graphs that both models name alike, narrowing down between the last
/// that agrees and the first that differs, 16 values a run. Absent when none differs: the models
/// agree, or they have no values in common.
Result<std::optional<Divergence>> find_divergence(const std::shared_ptr<engine::Runtime>& runtime,
                                                  Env& env, const DivergenceQuery& query);

}  // namespace wattwise::measure
