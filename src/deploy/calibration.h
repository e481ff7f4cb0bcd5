// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "deploy/context.h"
#include "deploy/source.h"
#include "quantize/calibrate.h"

namespace wattwise::deploy {

/// What the caller gave to calibrate with: calibration_data, read again for each pass over it, else
/// the samples; absent if there is neither. `source` must outlive it.
Result<std::optional<quantize::CalibrationData>> make_calibration(Context& context,
                                                                  const Source& source,
                                                                  const PrepareOptions& options);

/// The samples that candidates are compared on, for measurements. `samples` must outlive it.
Result<quantize::CalibrationData> make_probes(Context& context, const Samples& samples);

}  // namespace wattwise::deploy
