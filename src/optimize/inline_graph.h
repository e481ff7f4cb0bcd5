// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "model/graph.h"
#include "model/graph_edit.h"

namespace wattwise::optimize {

/// How the ends of an inner graph are called around it.
struct GraphEnds {
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;  ///< "" for one that nothing reads
};

/// Takes graphs out of the nodes that hold them: their nodes come to stand where those stood.
class Inliner {
 public:
  explicit Inliner(const model::Graph& main_graph);

  /// The nodes of `body` with its ends called as given and with its own names made unique in the
  /// model; its constants come as `Constant` nodes. Precondition: it has no sparse initializers.
  std::vector<model::Node> inline_graph(model::Graph body, const GraphEnds& ends);
  std::string unique(std::string_view base) { return names_.unique(base); }

 private:
  using Names = std::unordered_map<std::string, std::string>;
  void rename_own(const std::string& name, Names& names);

  model::NameMaker names_;
  std::unordered_map<std::string, int> definitions_;  ///< in how many graphs each name is defined
  std::unordered_map<std::string, int> node_names_;
};

/// A `Constant` node that makes `name`.
model::Node make_constant_node(model::Constant constant, std::string name);

}  // namespace wattwise::optimize
