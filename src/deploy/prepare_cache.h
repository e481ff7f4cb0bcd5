// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "deploy/context.h"
#include "deploy/staging.h"
#include "wattwise/deployment.h"

namespace wattwise::deploy {

/// Where a preparation reads from and writes to, both absolute.
struct PreparationPlace {
  std::string input;
  std::string output;
};

/// Whether the request says all that decides the result: data and metrics that the caller's code
/// gives cannot be told from others.
bool can_be_reused(const PrepareOptions& options);

/// A hash of everything that decides the result and its figures: the model's bytes, external data
/// included, and the files beside it that turn raw input into tensors; the resolved configuration,
/// the target's and the device's tables; options, with the content of samples and data sets; the
/// output's name; this program's build, ONNX Runtime's library, and this machine's processor. With
/// `measure` also the machine itself, so that no other machine's timing is ever told.
Result<std::string> preparation_key(Context& context, const PrepareOptions& options,
                                    const PreparationPlace& place);

struct Reused {
  PrepareResult result;  ///< with this run's paths, a decision that says so, and the earlier time
  bool is_in_place;      ///< the files are at their final place already; otherwise in the staging
};

/// The same preparation done before; absent if there is none.
Result<std::optional<Reused>> reuse_preparation(Context& context, const std::string& key,
                                                const PreparationPlace& place,
                                                const Staging& staging);

/// Keeps what `staging` holds for the next time. What goes wrong leaves a decision and no harm.
void keep_preparation(Context& context, const std::string& key, const Staging& staging,
                      PrepareResult& result);

}  // namespace wattwise::deploy
