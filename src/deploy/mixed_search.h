// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "deploy/candidate.h"

namespace wattwise::deploy {

inline constexpr std::string_view kMixed = "mixed";

/// Files that `mixed` makes and evaluates at most.
inline constexpr int kMostEvaluations = 8;

/// The cheapest formats of all layers whose file keeps the accuracy limit, by bisection among the
/// choices of quantize::plan_mixed(); every file that is evaluated leaves a decision "try". The
/// winner lies at `staged_path`. kUnsupported, with the reason, where none keeps it.
Result<Candidate> search_mixed(Context& context, const CandidateSource& source,
                               const std::string& staged_path);

}  // namespace wattwise::deploy
