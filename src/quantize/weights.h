// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/graph.h"
#include "model/graph_edit.h"
#include "quantize/floats.h"
#include "quantize/kernels.h"
#include "quantize/quantize.h"
#include "quantize/techniques.h"

namespace wattwise::quantize {

/// One place where a weight is read.
struct WeightReader {
  model::Graph* graph;
  const model::Node* node;
  size_t slot;  ///< index of the input
};

/// A float constant worth quantizing and everything that reads it.
struct Weight {
  model::Graph* graph;       ///< where it is defined
  std::string name;          ///< of the value
  model::Constant constant;  ///< shares the bytes
  std::vector<WeightReader> readers;
  const model::ConstantStore* store = nullptr;  ///< takes pages back; may be null
  bool is_delicate = false;                     ///< what 8 bits lose of it would add up
  bool is_recurrent = false;  ///< only recurrent layers read it, which carry its errors on
  bool fine_scales = false;   ///< its accuracy is worth more scales than size alone would grant
  bool keeps_float = false;   ///< what reads it multiplies in float: it may be stored in fewer bits
  bool may_take_4_bits = false;                 ///< what it loses by blocks of 4 bits is bearable
  WeightRange range = WeightRange::kPairAware;  ///< where integers multiply it
  bool one_scale = false;                       ///< of int8, not one for each channel
  Techniques techniques = {};                   ///< that the caller wants
  Int4Blocking int4 = {};                       ///< that the caller wants
  double share = 1;                             ///< of all weights of the model

  Floats values() const { return Floats(constant.data.view(), store); }
  size_t dim(size_t axis) const { return static_cast<size_t>(constant.shape[axis]); }
  ScaleChoice scale_choice() const { return techniques.scale_choice(); }
  size_t rank() const { return constant.shape.size(); }
  /// True if every reader is `op` of the standard domain at this input.
  bool only_read_by(std::string_view op, size_t slot) const;
};

/// Whether none of them is infinity or NaN.
bool is_finite(const Floats& values);

/// All float constants of rank 2 or more and 1 kB or more that nodes read, in every graph, in order
/// of first use, but those with all their elements along one axis. A decision tells of each large
/// constant that must stay as it is (an output, a default input, a type other than float).
std::vector<Weight> find_weights(model::Model& model, std::vector<Decision>& decisions);

/// The others: float constants of 256 bytes or more with all their elements along one axis.
std::vector<Weight> find_vectors(model::Model& model);

/// Edits that are collected first and applied together, so that nodes and constants stay where they
/// are while methods look at them.
class ModelEdits {
 public:
  explicit ModelEdits(const model::Model& model)
      : names_(model.graph), store_(model.store), opset_(model.opset("")) {}

  /// The standard operator set of the model.
  int64_t opset() const { return opset_; }
  std::string unique(std::string_view base) { return names_.unique(base); }
  void remove_constant(const Weight& weight) { edits_[weight.graph].removed.insert(weight.name); }
  /// A constant in the graph that defines `weight`; returns its name. The tensor's bytes go to the
  /// model's store if it has one; else they are shared, or copied where the tensor only looks at
  /// them.
  std::string add_constant(const Weight& weight, std::string_view suffix, const Tensor& tensor);
  /// A small constant that many weights share: one for each graph and suffix.
  std::string shared_constant(const Weight& weight, std::string_view suffix, const Tensor& tensor);
  /// A node at the start of the graph that defines `weight`.
  void add_first(const Weight& weight, model::Node node) {
    edits_[weight.graph].first.push_back(std::move(node));
  }
  void replace(const WeightReader& reader, std::vector<model::Node> nodes) {
    edits_[reader.graph].replaced[reader.node] = std::move(nodes);
  }
  /// Names that the nodes read which take others' places.
  std::unordered_set<std::string> read_in_places() const;
  /// Whether other nodes take this one's place.
  bool replaces(const WeightReader& reader) const;
  /// Performs everything. Pointers into the model are invalid afterwards.
  void apply();

 private:
  struct GraphEdits {
    std::unordered_set<std::string> removed;
    std::vector<model::Constant> added;
    std::unordered_map<std::string, std::string> shared;  ///< suffix to name
    std::vector<model::Node> first;
    std::unordered_map<const model::Node*, std::vector<model::Node>> replaced;
  };
  model::NameMaker names_;
  std::shared_ptr<model::ConstantStore> store_;  // shared with the model
  int64_t opset_;
  std::map<model::Graph*, GraphEdits> edits_;
};

}  // namespace wattwise::quantize
