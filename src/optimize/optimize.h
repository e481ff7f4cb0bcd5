// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/env.h"
#include "core/progress.h"
#include "engine/session.h"
#include "model/graph.h"
#include "wattwise/result.h"
#include "wattwise/types.h"

namespace wattwise::optimize {

/// What rewriting needs to know of where the model will run, and of what is done to it before.
struct TargetFacts {
  /// Channels that the provider's blocked convolution layout holds side by side; 0 without one.
  /// ONNX Runtime's CPU provider: 16 with AVX-512, 8 otherwise on x86; builds for Arm and for
  /// browsers have no such layout unless made so.
  int64_t channel_block = 8;
  /// Weights will be quantized, by methods that know products as MatMul.
  bool quantizes = false;
};

class ModelEditor;

/// What a pass may look at besides the model. Thread rule: one thread.
class PassContext {
 public:
  PassContext(std::shared_ptr<engine::Runtime> runtime, Env& env, TargetFacts target);
  ~PassContext();

  const std::shared_ptr<engine::Runtime>& runtime() const { return runtime_; }
  Env& env() const { return env_; }
  const TargetFacts& target() const { return target_; }

  /// Types and shapes of the model's values, inferred when first asked for; free dimensions, and
  /// whatever depends on them, read -1, so that what follows from the table holds for every input.
  /// Values that passes made since then are missing.
  Result<const model::ShapeTable*> shapes(const model::Model& model) const;
  /// To be called when the model has changed.
  void forget_shapes() { shapes_.reset(); }
  /// To be called instead when each value that is still there has the type and shape that it had.
  void keep_shapes(const model::Model& model);

  /// The model opened for rewriting, until the next call.
  ModelEditor& open(model::Model& model) const;
  /// To be called when the model is what it was before the last pass: what that one opened may
  /// serve the next. One that opened nothing may have moved nodes all the same.
  void keep_open();
  /// To be called when the model has changed.
  void close();

 private:
  std::shared_ptr<engine::Runtime> runtime_;  // shared with the sessions made from it
  Env& env_;
  TargetFacts target_;
  mutable std::optional<model::ShapeTable> shapes_;
  mutable std::unique_ptr<ModelEditor> editor_;
  mutable bool was_opened_ = false;  ///< since the last pass
  mutable bool stays_open_ = false;
};

/// What a pass did: touched nodes and, per refusal or notable change, a decision.
struct PassOutcome {
  int64_t changed = 0;
  std::vector<Decision> decisions;
};

/// What a pass does to the table of shapes.
enum class Shapes {
  kKept,   ///< values keep their types and shapes; new ones are not in the table until the next
           ///< round
  kStale,  ///< values change shape under their names, or more can be inferred: infer anew
};

/// One exact rewrite. `max_error` is the largest output error that its algebra allows, relative to
/// the output's largest magnitude; 0 means bit-equal.
struct PassRow {
  std::string_view name;
  std::string_view description;
  double max_error;
  Shapes shapes;
  Result<PassOutcome> (*run)(model::Model& model, const PassContext& context);
};

/// All passes in run order.
std::span<const PassRow> pass_table();

struct PassReport {
  std::string name;
  int64_t changed = 0;
  double milliseconds = 0;
  std::vector<Decision> decisions;
};

struct OptimizeReport {
  std::vector<PassReport> passes;            ///< in run order, switched-off ones left out
  std::vector<AppliedOptimization> applied;  ///< passes that changed something
  int64_t rounds = 0;                        ///< how often the table was gone through
};

/// Runs the passes in order, again and again until a round changes nothing (at most
/// kMaxRounds), and verifies the graph after each. An unknown name in `disabled` is
/// kInvalidArgument with the nearest one.
Result<OptimizeReport> optimize(model::Model& model, PassContext& context,
                                const std::vector<std::string>& disabled);

inline constexpr int64_t kMaxRounds = 10;

}  // namespace wattwise::optimize
