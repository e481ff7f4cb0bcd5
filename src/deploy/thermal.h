// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/json.h"
#include "deploy/context.h"

namespace wattwise::deploy {

/// Reads this machine's thermal zones now and classifies them under the configured policy.
ThermalStatus read_thermal_status(Context& context, const config::Resolved& resolved);

/// The same, but a reading that is younger than `temperature_check_interval_seconds` serves again.
ThermalStatus recent_thermal_status(Context& context, const config::Resolved& resolved);

/// {thermal, battery, memory, power} of this machine now; null where it does not say.
Json device_state(Context& context);

}  // namespace wattwise::deploy
