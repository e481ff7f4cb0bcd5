// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/env.h"
#include "core/log.h"

namespace wattwise::engine {

/// A loaded ONNX Runtime library with its one process-wide environment.
/// Thread rule: may be used from any thread; shared by all sessions made from it.
class Runtime {
 public:
  virtual ~Runtime() = default;
  virtual std::string version() const = 0;  ///< "1.32.0"
  virtual std::string library_path() const = 0;
  /// Names of the providers that this library was built with.
  virtual std::vector<std::string> available_providers() const = 0;
};

struct RuntimeOptions {
  std::string library_path;  ///< the only one that may serve, if set
  Logger logger;             ///< ONNX Runtime's own messages go here under the module "engine"
};

/// Loads ONNX Runtime: `library_path`, else $WATTWISE_ORT_LIBRARY; without either the library
/// beside this program or package, the one this build was configured with, and last the system's. A
/// named library that cannot serve is kUnavailable, and so is a search without success, with every
/// place that was tried. A process loads one library; later calls return the same.
Result<std::shared_ptr<Runtime>> load_runtime(Env& env, const RuntimeOptions& options);

/// The library that load_runtime() gives, or would give, told apart from any other file or version
/// without loading it where it can be: its path, size and time of change.
Result<std::string> identify_runtime(Env& env, const RuntimeOptions& options);

}  // namespace wattwise::engine
