// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

#include "wattwise/deployment.h"

namespace wattwise::python {

/// A Python object that C++ keeps: copied without the GIL, dropped with it. Shared by all copies of
/// the callback or tensor that holds it.
using Held = std::shared_ptr<nanobind::object>;
Held hold(nanobind::object object);

/// The package hands over [(name, array or str), ...] or {"batch": [...]} after its conversions.
/// Arrays are C-contiguous; tensors share their memory. Raises InvalidArgumentError for a dtype
/// that no tensor has.
InferenceInputs to_inputs(const nanobind::object& given);

/// NumPy arrays by name over the tensors' memory; texts become arrays of objects.
nanobind::dict to_arrays(const TensorMap& outputs);

}  // namespace wattwise::python
