// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

#include "wattwise/deployment.h"

namespace wattwise::python {

/// Samples as the package hands them over: None, a path, or (start, once), where start() returns an
/// iterator over (inputs, labels). One sample at a time is held; what Python raises cancels the
/// call and is raised again at its end.
SampleData to_sample_data(const nanobind::object& given);

/// (data as above, the metric's name, None or a function of outputs and labels).
Evaluation to_evaluation(const nanobind::object& given);

}  // namespace wattwise::python
