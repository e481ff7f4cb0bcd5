// SPDX-License-Identifier: Apache-2.0
// What nothing reads is not computed and not stored.
//
//   before:  a = W;  Conv(x, a) -> y;  Exp(x) -> z      (z is read by no one)
//   after:   a = W;  Conv(x, a) -> y
//
// Exact: no value that reaches an output is touched. Graph inputs stay even if unused.
#include "model/graph_edit.h"
#include "optimize/passes/passes.h"

namespace wattwise::optimize {

Result<PassOutcome> remove_unused(model::Model& model, const PassContext&) {
  return PassOutcome{model::remove_unused(model.graph), {}};
}

}  // namespace wattwise::optimize
