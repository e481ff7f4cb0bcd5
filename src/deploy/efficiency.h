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

/// Shapes and costs of a model under the given sizes of its free dimensions.
Result<model::Inspection> inspect_with_shapes(Context& context, const model::Model& model,
                                              const engine::InputGuess& guess);

}  // namespace wattwise::deploy
