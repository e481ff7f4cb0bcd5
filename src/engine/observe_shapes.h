// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/session.h"

// Inside engine only.
namespace wattwise::engine {

/// What each node makes, by the name that it has in a session.
using NodeOutputs = std::map<std::string, std::vector<std::string>, std::less<>>;

/// A model that was opened to learn the shapes of its values: unoptimized, with zeros for weights.
/// One session tells what can be inferred, and runs where that is not all.
class ShapeProbe {
 public:
  /// `folder` takes what the runtime writes. An error where some operator wants its weights
  /// constant.
  static Result<ShapeProbe> open(const std::shared_ptr<Runtime>& runtime, Env& env,
                                 const model::Model& model, const std::string& folder);

  /// What the runtime wrote about the values when it opened the model.
  Result<model::ShapeTable> inferred() const;
  /// Shapes as one run makes them, on made-up inputs of the sizes that the model declares and,
  /// where it declares none, the guessed ones. Values of branches that were not taken are missing.
  /// Once.
  Result<model::ShapeTable> observed(const InputGuess& guess);

 private:
  ShapeProbe(Env& env, std::string inferred_path) : env_(env), path_(std::move(inferred_path)) {}

  Env& env_;
  std::string path_;
  NodeOutputs nodes_;
  TensorMap zeros_;
  std::unique_ptr<Session> session_;
};

/// Types and shapes of what the graphs of a file declare.
Result<model::ShapeTable> read_declared(Env& env, const std::string& path);

}  // namespace wattwise::engine
