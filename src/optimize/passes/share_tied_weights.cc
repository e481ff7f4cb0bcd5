// SPDX-License-Identifier: Apache-2.0
// A matrix that is another one turned over need not be stored.
//
//   before:  E, W = E^T;  Gather(E, i);  MatMul(h, W)
//   after:   E;  Transpose(E) -> W;  Gather(E, i);  MatMul(h, W)
//
// Exact: the same numbers in the same places. ONNX Runtime turns the constant over when it loads
// the model, so that the file shrinks and nothing changes at run time. Found are large matrices of
// one graph; of the two, the one that comes first stays, but rather the one that Gather reads.
#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include "model/constant_store.h"
#include "model/graph_edit.h"
#include "model/walk.h"
#include "optimize/equal_constants.h"
#include "optimize/graph_editor.h"
#include "optimize/passes/passes.h"

namespace wattwise::optimize {
namespace {

/// Below this size the bytes saved are not worth a node.
constexpr size_t kWorthwhile = size_t{64} << 10;
/// Elements that are looked at before all are.
constexpr size_t kProbes = 16;

/// A matrix of elements of whole bytes, read where it lies.
class Matrix {
 public:
  explicit Matrix(const model::Constant& constant)
      : constant_(constant),
        rows_(static_cast<size_t>(constant.shape[0])),
        columns_(static_cast<size_t>(constant.shape[1])),
        width_(constant.data.size() / (rows_ * columns_)) {}

  std::string_view at(size_t row, size_t column) const {
    return constant_.data.as_text().substr((row * columns_ + column) * width_, width_);
  }

  /// Some elements, in an order in which the matrix turned over shows the same.
  std::string probe(bool turned) const {
    const size_t rows = turned ? columns_ : rows_;
    const size_t columns = turned ? rows_ : columns_;
    std::string seen = std::to_string(static_cast<int>(constant_.type)) + ":" +
                       std::to_string(rows) + ":" + std::to_string(columns) + ":";
    for (size_t i = 0; i < kProbes; ++i) {
      const size_t row = i * (rows - 1) / (kProbes - 1);
      const size_t column = (i * 7 % kProbes) * (columns - 1) / (kProbes - 1);
      seen += turned ? at(column, row) : at(row, column);
    }
    return seen;
  }

  /// Reads both in tiles, whose pages go back to `store` (may be null) strip by strip.
  bool is_transpose_of(const Matrix& other, const model::ConstantStore* store) const {
    if (rows_ != other.columns_ || columns_ != other.rows_ || width_ != other.width_) return false;
    for (size_t row = 0; row < rows_; row += kTile) {
      for (size_t column = 0; column < columns_; column += kTile) {
        if (!is_tile_transposed(other, row, column)) return false;
      }
      if (!store || (row + kTile) % kStrip != 0) continue;
      store->release(constant_.data.view());
      store->release(other.constant_.data.view());
    }
    return true;
  }

 private:
  static constexpr size_t kTile = 32;
  static constexpr size_t kStrip = 512;  ///< rows: what a page or two of the other matrix holds

  bool is_tile_transposed(const Matrix& other, size_t first_row, size_t first_column) const {
    const size_t end_row = std::min(rows_, first_row + kTile);
    const size_t end_column = std::min(columns_, first_column + kTile);
    for (size_t row = first_row; row < end_row; ++row) {
      for (size_t column = first_column; column < end_column; ++column) {
        if (at(row, column) != other.at(column, row)) return false;
      }
    }
    return true;
  }

  const model::Constant& constant_;
  size_t rows_;
  size_t columns_;
  size_t width_;
};

bool is_large_matrix(const model::Constant& constant) {
  return constant.shape.size() == 2 && constant.data.size() >= kWorthwhile &&
         constant.data.size() % static_cast<size_t>(constant.element_count()) == 0;
}

using NameSet = std::unordered_set<std::string>;

NameSet gathered_names(const model::Graph& graph) {
  NameSet names;
  for (const model::Node& node : graph.nodes) {
    if (node.is("Gather")) names.insert(node.inputs[0]);
  }
  return names;
}

struct Pair {
  std::string kept;
  std::string turned;
};

/// Each constant is in one pair at most.
std::vector<Pair> find_pairs(const model::Graph& graph, const model::ConstantStore* store) {
  const NameSet ports = port_names(graph);
  const NameSet gathered = gathered_names(graph);
  std::unordered_multimap<std::string, const model::Constant*> seen;
  NameSet paired;
  std::vector<Pair> pairs;
  for (const model::Constant& constant : graph.initializers) {
    if (ports.contains(constant.name) || !is_large_matrix(constant)) continue;
    const Matrix matrix(constant);
    const auto [begin, end] = seen.equal_range(matrix.probe(true));
    const auto twin = std::find_if(begin, end, [&](const auto& entry) {
      return !paired.contains(entry.second->name) &&
             matrix.is_transpose_of(Matrix(*entry.second), store);
    });
    if (twin == end) seen.emplace(matrix.probe(false), &constant);
    if (store) store->release(constant.data.view());
    if (twin == end) continue;
    const std::string& first = twin->second->name;
    const bool keep_second = gathered.contains(constant.name) && !gathered.contains(first);
    pairs.push_back(keep_second ? Pair{constant.name, first} : Pair{first, constant.name});
    paired.insert({first, constant.name});
  }
  return pairs;
}

void turn(model::Graph& graph, const std::vector<Pair>& pairs) {
  std::vector<model::Node> nodes;
  for (const Pair& pair : pairs) {
    std::erase_if(graph.initializers,
                  [&](const model::Constant& constant) { return constant.name == pair.turned; });
    model::Node node = make_node("Transpose", {pair.kept}, pair.turned);
    node.set_attribute("perm", std::vector<int64_t>{1, 0});
    nodes.push_back(std::move(node));
  }
  graph.nodes.insert(graph.nodes.begin(), std::make_move_iterator(nodes.begin()),
                     std::make_move_iterator(nodes.end()));
}

}  // namespace

Result<PassOutcome> share_tied_weights(model::Model& model, const PassContext&) {
  PassOutcome outcome;
  model::for_each_graph(model.graph, [&](model::Graph& graph, const std::string&) {
    const std::vector<Pair> pairs = find_pairs(graph, model.store.get());
    turn(graph, pairs);
    for (const Pair& pair : pairs) {
      outcome.decisions.push_back({"share", pair.turned, "it is " + pair.kept + " turned over"});
    }
    outcome.changed += static_cast<int64_t>(pairs.size());
  });
  return outcome;
}

}  // namespace wattwise::optimize
