// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/runtime.h"
#include "model/graph.h"
#include "wattwise/tensor.h"
#include "wattwise/types.h"

namespace wattwise::engine {

enum class GraphOptimization { kDisabled, kBasic, kExtended, kAll };

/// Settings of one session; each default is the one that costs least energy per inference.
struct SessionOptions {
  /// Provider ids of the table in providers.cc, in order of preference; the CPU is always last.
  std::vector<std::string> providers;
  int threads = 1;
  bool spin = false;  ///< idle threads spin: faster back to back, many times dearer at low rates
  GraphOptimization optimization = GraphOptimization::kAll;
  bool memory_pattern = true;
  /// Memory is taken in regions that double in size and kept: fast, but up to twice what is needed.
  bool arena = true;
  bool prepack = true;
  /// Large constants of a model in memory that lie in the file it was read from are used there,
  /// without a copy: cheap to open, for few runs.
  bool map_weights = false;
  std::map<std::string, std::string> config_entries;  ///< passed through as they are
  std::map<std::string, int64_t> free_dimensions;     ///< by dimension name
  std::optional<std::string> optimized_model_path;    ///< also write the optimized graph
  std::optional<std::string> profile_prefix;          ///< also write an execution profile
};

/// A model ready to run. Thread rule: run() may be called from several threads at once.
class Session {
 public:
  virtual ~Session() = default;
  virtual const std::vector<PortInfo>& inputs() const = 0;
  virtual const std::vector<PortInfo>& outputs() const = 0;
  /// Id of the provider that leads, such as "cpu".
  virtual const std::string& provider() const = 0;
  /// Why preferred providers were left out.
  virtual const std::vector<Decision>& decisions() const = 0;
  /// Runs once. Inputs are used in place; outputs own their memory through the runtime.
  /// kInvalidArgument for a missing, unknown, mistyped or misshapen input, naming what is expected,
  /// and for values that the model cannot work on, naming what was given.
  virtual Result<TensorMap> run(const TensorMap& inputs) const = 0;
  /// Runs once for each of the inputs.
  virtual Result<std::vector<TensorMap>> run_all(const std::vector<TensorMap>& inputs) const;
  /// How many parts of the model are loaded and run one after the other; absent if the whole is.
  virtual std::optional<int64_t> block_count() const { return std::nullopt; }
  /// Values that were too large to be computed and that random ones stand in for.
  virtual std::vector<std::string> stood_in() const { return {}; }
  /// Ends profiling and returns the profile's path. Precondition: profile_prefix was set.
  virtual Result<std::string> end_profiling() = 0;
};

/// Opens a model file.
Result<std::unique_ptr<Session>> open_session(const std::shared_ptr<Runtime>& runtime, Env& env,
                                              const std::string& path,
                                              const SessionOptions& options);

/// Opens a model in memory without copying its large constants: they are handed to the runtime
/// where they lie, and live as long as the session.
Result<std::unique_ptr<Session>> open_session(const std::shared_ptr<Runtime>& runtime, Env& env,
                                              const model::Model& model,
                                              const std::string& source_name,
                                              const SessionOptions& options);

/// Opens a model file of which `model` is what was read. Large constants are used where they lie in
/// it, as with SessionOptions::map_weights.
Result<std::unique_ptr<Session>> open_as_read(const std::shared_ptr<Runtime>& runtime, Env& env,
                                              const model::Model& model, const std::string& path,
                                              const SessionOptions& options);

/// What to feed a model when nobody says: sizes of free dimensions ("input:axis" or name -> size;
/// others get 1), values of inputs that hold one integer (others get 1), and what the integers of
/// others must stay below.
struct InputGuess {
  std::map<std::string, int64_t> dimensions;
  std::map<std::string, int64_t> scalars;
  std::map<std::string, int64_t> limits = {};
};

/// Types and shapes of every value as ONNX Runtime infers them, for inputs like `guess`. Where
/// inference leaves sizes open, the graph is run once with zeros for weights. No weight is read;
/// what stays open reads -1, also where a model with a store for its constants would have to run.
/// `known` holds shapes, for inputs like `guess`, of values that go by the same names in a model
/// that this one was made from: believed where inference leaves them open, so that nothing has to
/// run for them, but not where graphs lie in graphs, of which only a run tells all.
Result<model::ShapeTable> infer_shapes(const std::shared_ptr<Runtime>& runtime, Env& env,
                                       const model::Model& model, const InputGuess& guess,
                                       const model::ShapeTable& known = {});

/// The same without a guess: free dimensions, and whatever depends on them, stay -1. What follows
/// from this table holds for every input of the model. Values of unknown rank are missing, and so
/// are names that graphs beside each other give to different values. Runs nothing.
Result<model::ShapeTable> infer_free_shapes(const std::shared_ptr<Runtime>& runtime, Env& env,
                                            const model::Model& model);

/// Random but plausible inputs: uniform floats in [-1, 1], small non-negative integers, all-true
/// masks; the same for the same seed.
Result<TensorMap> make_random_inputs(const std::vector<PortInfo>& ports, const InputGuess& guess,
                                     uint64_t seed);

}  // namespace wattwise::engine
