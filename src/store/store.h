// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/env.h"
#include "core/json.h"
#include "core/log.h"

namespace wattwise::store {

/// One preparation, successful or failed. `record` is the prepare result as JSON.
struct Preparation {
  std::string model_path;   ///< absolute path of the input
  std::string output_path;  ///< absolute; "" for a failed one
  std::string deployment_target;
  std::string power_profile;
  std::string status;      ///< "ready", "failed", or "not_found": failed, as there was no file
  std::string error;       ///< one line, if failed
  double finished_at = 0;  ///< seconds since the epoch
  Json record;
};

/// One load of a model into memory.
struct Load {
  std::string model_path;
  std::string model_type;
  std::string execution_provider;
  double loading_time_seconds = 0;
  double loaded_at = 0;
};

/// One inference.
struct Inference {
  std::string model_path;
  double finished_at = 0;
  double inference_time_seconds = 0;
  int64_t batch_size = 1;
  int throttling_level = 0;
  std::optional<double> energy_mj;
  std::string energy_origin;  ///< "measured", "estimated" or "absent"
};

/// An event: a thermal state change, a decision of the runtime.
struct Event {
  double happened_at = 0;
  std::string kind;
  std::string subject;
  Json detail;
};

/// What is known of one model path over all processes.
struct ModelSummary {
  std::string model_path;
  std::optional<Preparation> preparation;  ///< the newest whose output (or input) is this path
  std::optional<Load> last_load;
  int64_t inference_count = 0;
  double total_inference_time_seconds = 0;
  std::optional<double> average_ms, p50_ms, p99_ms;
  std::optional<double> last_used_at;

  /// Whether it was ever prepared, loaded or run with success.
  bool is_deployed() const {
    return last_load || inference_count > 0 || (preparation && preparation->status != "failed");
  }
};

/// The database of one file: history of preparations, loads, inferences and events.
/// Writes go to a journal of this process first (append, no lock wait); they enter the DuckDB file
/// in short transactions under a sidecar lock, on
/// flush() and when the store closes if no one else is using the file just then, and before reads.
/// Nothing is lost if a process dies: the next
/// one to open the store drains what it left. Several processes may use one file at once.
/// Thread rule: any thread.
class Store {
 public:
  virtual ~Store() = default;
  virtual Result<void> add(const Preparation& row) = 0;
  virtual Result<void> add(const Load& row) = 0;
  virtual Result<void> add(const Inference& row) = 0;
  virtual Result<void> add(const Event& row) = 0;
  /// Moves what this process has journalled into the database, or leaves it to others that use the
  /// database now. Reads always do so, for all processes.
  virtual Result<void> flush() = 0;
  /// Newest first by use, without paths at which no file has been found. Drains first.
  virtual Result<std::vector<ModelSummary>> models() = 0;
  /// One model; kNotFound names the nearest known path.
  virtual Result<ModelSummary> model(const std::string& path) = 0;
  /// Newest preparations first, failed ones included.
  virtual Result<std::vector<Preparation>> preparations(int64_t limit) = 0;
  virtual const std::string& path() const = 0;
};

struct StoreOptions {
  std::string path;            ///< "" for $WATTWISE_DB, else the XDG data folder
  std::string duckdb_library;  ///< "" for the one already in the process, the bundled, the system's
  Logger logger;
  double retention_days = std::numeric_limits<double>::infinity();  ///< older rows go at first use
  bool used_at_once = false;  ///< a read or flush() follows, which tells the file's errors
};

/// Whether anything has been recorded there yet. Creates nothing.
Result<bool> store_exists(const Env& env, const StoreOptions& options);

/// Opens or creates the database. kUnsupported for a file of a newer version, kCorrupt for a
/// damaged one and kInvalidArgument for what is no file; all are left as they were, with nothing
/// beside them.
Result<std::unique_ptr<Store>> open_store(Env& env, const StoreOptions& options);

}  // namespace wattwise::store
