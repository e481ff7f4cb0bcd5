// SPDX-License-Identifier: Apache-2.0
#include "engine/block_plan.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "model/walk.h"

namespace wattwise::engine {
namespace {

/// What one node needs besides the values of other nodes.
struct Needs {
  std::set<size_t> nodes;  ///< that follow from constants, and the node itself
  std::unordered_map<std::string, uint64_t> bytes;  ///< of constants and what follows from them

  /// What these needs add to `others`.
  uint64_t beyond(const Needs& others) const {
    uint64_t total = 0;
    for (const auto& [name, size] : bytes) total += others.bytes.contains(name) ? 0 : size;
    return total;
  }
  void merge(const Needs& others) {
    nodes.insert(others.nodes.begin(), others.nodes.end());
    bytes.insert(others.bytes.begin(), others.bytes.end());
  }
};

bool holds_graph(const model::Node& node) {
  return std::any_of(node.attributes.begin(), node.attributes.end(), [](const auto& attribute) {
    return std::holds_alternative<std::shared_ptr<model::Graph>>(attribute.value) ||
           std::holds_alternative<std::vector<std::shared_ptr<model::Graph>>>(attribute.value);
  });
}

bool is_random(const model::Node& node) {
  return node.op_type.starts_with("Random") || node.is("Bernoulli") || node.is("Multinomial");
}

class BlockPlanner {
 public:
  BlockPlanner(const model::Graph& graph, uint64_t max_bytes, const std::vector<std::string>& alone)
      : graph_(graph), max_bytes_(max_bytes), alone_(alone.begin(), alone.end()) {
    for (const auto& output : graph.outputs) outputs_.insert(output.name);
    for (const auto& constant : graph.initializers) {
      constant_bytes_[constant.name] = constant.data.size();
      unpacked_bytes_[constant.name] =
          static_cast<uint64_t>(constant.element_count()) * sizeof(float);
    }
    for (const auto& constant : graph.sparse_initializers) {
      constant_bytes_[constant.name] = unpacked_bytes_[constant.name] = constant.bytes.size();
    }
    for (size_t i = 0; i < graph.nodes.size(); ++i) read(i);
  }

  std::vector<Block> run() {
    Needs needs;
    std::vector<size_t> members;
    for (const size_t i : main_) {
      const Needs more = needs_of(i);
      const bool full = total_of(needs) + more.beyond(needs) > max_bytes_;
      if (!members.empty() && (full || is_alone(i) || is_alone(members.back()))) {
        close(needs, members);
        needs = {};
        members.clear();
      }
      needs.merge(more);
      members.push_back(i);
    }
    if (!members.empty()) close(needs, members);
    connect();
    return std::move(blocks_);
  }

 private:
  /// Notes what the node reads, and whether all of that follows from constants.
  void read(size_t i) {
    const model::Node& node = graph_.nodes[i];
    reads_.push_back(model::count_uses(node));
    const auto& reads = reads_.back();
    const auto is_constant = [&](const auto& entry) {
      return entry.first.empty() || unpacked_bytes_.contains(entry.first);
    };
    const bool is_output =
        std::any_of(node.outputs.begin(), node.outputs.end(),
                    [&](const std::string& name) { return outputs_.contains(name); });
    if (reads.empty() || is_output || is_random(node) || holds_graph(node) ||
        !std::all_of(reads.begin(), reads.end(), is_constant)) {
      main_.push_back(i);
      return;
    }
    uint64_t largest = 0;
    for (const auto& entry : reads) largest = std::max(largest, unpacked_bytes_[entry.first]);
    for (const std::string& name : node.outputs) {
      unpacked_bytes_[name] = largest;
      maker_[name] = i;
    }
  }

  bool is_alone(size_t i) const {
    const auto& made = graph_.nodes[i].outputs;
    return std::any_of(made.begin(), made.end(),
                       [&](const std::string& name) { return alone_.contains(name); });
  }

  static uint64_t total_of(const Needs& needs) { return needs.beyond({}); }

  Needs needs_of(size_t i) const {
    Needs needs;
    needs.nodes.insert(i);
    std::vector<size_t> open = {i};
    while (!open.empty()) {
      const size_t reader = open.back();
      open.pop_back();
      for (const auto& [name, count] : reads_[reader]) {
        if (const auto it = constant_bytes_.find(name); it != constant_bytes_.end()) {
          needs.bytes[name] = is_gathered(reader, name) ? 0 : it->second;
        } else if (const auto made = maker_.find(name); made != maker_.end()) {
          needs.bytes[name] = unpacked_bytes_.at(name);
          if (needs.nodes.insert(made->second).second) open.push_back(made->second);
        }
      }
    }
    return needs;
  }

  bool is_gathered(size_t reader, const std::string& name) const {
    const model::Node& node = graph_.nodes[reader];
    return node.is("Gather") && node.inputs[0] == name && node.inputs[1] != name;
  }

  void close(const Needs& needs, const std::vector<size_t>& members) {
    Block block;
    block.nodes.assign(needs.nodes.begin(), needs.nodes.end());
    for (const auto& [name, bytes] : needs.bytes) {
      if (constant_bytes_.contains(name)) {
        block.constants.push_back(name);
      } else {
        block.unpacked_bytes = std::max(block.unpacked_bytes, bytes);
      }
    }
    std::sort(block.constants.begin(), block.constants.end());
    block.weight_bytes = total_of(needs);
    blocks_.push_back(std::move(block));
    members_.push_back(members);
  }

  /// Finds what each block takes from earlier ones and leaves to later ones.
  void connect() {
    std::unordered_set<std::string> wanted = outputs_;
    for (size_t b = blocks_.size(); b-- > 0;) {
      std::set<std::string> inputs;
      std::set<std::string> made;
      for (const size_t i : members_[b]) {
        made.insert(graph_.nodes[i].outputs.begin(), graph_.nodes[i].outputs.end());
        for (const auto& [name, count] : reads_[i]) {
          if (!name.empty() && !unpacked_bytes_.contains(name)) inputs.insert(name);
        }
      }
      for (const std::string& name : made) {
        if (wanted.contains(name) && !name.empty()) blocks_[b].outputs.push_back(name);
        inputs.erase(name);
      }
      wanted.insert(inputs.begin(), inputs.end());
      blocks_[b].inputs.assign(inputs.begin(), inputs.end());
    }
  }

  const model::Graph& graph_;
  uint64_t max_bytes_;
  std::unordered_set<std::string> alone_;
  std::unordered_set<std::string> outputs_;
  std::unordered_map<std::string, uint64_t> constant_bytes_;
  /// Of constants, and of what follows from them, when they are floats.
  std::unordered_map<std::string, uint64_t> unpacked_bytes_;
  std::unordered_map<std::string, size_t> maker_;  ///< of what follows from constants
  std::vector<std::unordered_map<std::string, int>> reads_;
  std::vector<size_t> main_;  ///< nodes that something fed reaches
  std::vector<Block> blocks_;
  std::vector<std::vector<size_t>>
      members_;  ///< of each block, without what follows from constants
};

}  // namespace

std::vector<Block> plan_blocks(const model::Graph& graph, uint64_t max_bytes,
                               const std::vector<std::string>& alone) {
  return BlockPlanner(graph, max_bytes, alone).run();
}

}  // namespace wattwise::engine
