// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>

#include "deploy/context.h"
#include "model/inspect.h"

namespace wattwise::deploy {

/// Figures for a model with these costs on the device, at the configuration's request rate.
/// Without a device every figure is absent, with the reason.
PowerEfficiency estimate_efficiency(const model::Inspection& inspection,
                                    const std::optional<device::DeviceProfile>& device,
                                    const Config& config);

/// What one call of a model ran, beside what its estimate is for.
struct RunWork {
  int64_t items = 1;
  double relative_size = 1;  ///< elements of the inputs, of all items together, in those of one
  std::string basis;         ///< the sizes that the estimate is for: "ids [1, 32]"
};

/// The energy of that call, from the estimate of one inference. The method says what it rests on.
Figure energy_of_run(const Figure& one, const RunWork& work);

/// Shapes and costs of a model under the given sizes of its free dimensions. `known` is as in
/// engine::infer_shapes().
Result<model::Inspection> inspect_with_shapes(Context& context, const model::Model& model,
                                              const engine::InputGuess& guess,
                                              const model::ShapeTable& known = {});

}  // namespace wattwise::deploy
