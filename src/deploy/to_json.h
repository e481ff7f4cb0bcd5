// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/json.h"
#include "device/snapshot.h"
#include "wattwise/deployment.h"

namespace wattwise::deploy {

/// {value, low, high, origin, method}; absent parts are null.
Json to_document(const Figure& figure);
/// Flat values by id; null where absent.
Json flat_values(const Figures& figures);
/// Full figures by id.
Json provenance(const Figures& figures);
Json to_document(const std::vector<Decision>& decisions);
Json to_document(const std::vector<AppliedOptimization>& applied);
Json to_document(const Accuracy& accuracy);
Json to_document(const PowerEfficiency& efficiency);
Json to_document(const PrepareResult& result);
Json to_document(const LoadResult& result);
Json to_document(const InferenceResult& result);
Json to_document(const ThermalStatus& status);
Json to_document(const PortInfo& port);

/// What templates and a bundle's manifest may say about a prepared model.
Json bundle_facts(const PrepareResult& result);

}  // namespace wattwise::deploy
