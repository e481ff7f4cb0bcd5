// SPDX-License-Identifier: Apache-2.0
#include "engine/block_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/text.h"
#include "engine/block_plan.h"
#include "engine/values.h"
#include "model/constant_store.h"
#include "model/graph_edit.h"
#include "model/inspect.h"
#include "model/walk.h"

namespace wattwise::engine {
namespace {

/// FNV-1a (Fowler, Noll, Vo): the same number for a name everywhere.
uint64_t seed_of(const std::string& name) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

/// `Constant` nodes of the main graph as initializers, where blocks look for them.
void lift_constants(model::Graph& graph) {
  std::erase_if(graph.nodes, [&](model::Node& node) {
    const model::Attribute* value = node.is("Constant") ? node.attribute("value") : nullptr;
    const auto* held =
        value ? std::get_if<std::shared_ptr<model::Constant>>(&value->value) : nullptr;
    if (!held) return false;
    graph.initializers.push_back(**held);
    graph.initializers.back().name = node.outputs[0];
    return true;
  });
}

/// Constants of this size are fed as inputs where possible: the runtime works on inputs in place,
/// but copies initializers, even those that it is handed in memory (ONNX Runtime 1.32).
constexpr size_t kMinFedBytes = size_t{1} << 20;

/// Values up to this size are computed when a block is loaded.
constexpr uint64_t kMostFolded = uint64_t{64} << 20;

/// Whether the node computes the same from this constant when it is an input.
bool takes_as_input(const model::Node& node, const model::Constant& constant) {
  if (node.is("Gather")) return node.inputs[0] == constant.name && node.inputs[1] != constant.name;
  return constant.type == DataType::kFloat &&
         (node.is("MatMul") || node.is("Gemm") || node.is("Conv"));
}

/// A value of the samples' type; sizes in which they differ are free.
model::Value declare(const std::string& name, const std::vector<TensorMap>& samples) {
  const Tensor& first = samples.front().at(name);
  model::Value value;
  value.name = name;
  value.type = first.type;
  value.shape.emplace();
  for (size_t axis = 0; axis < first.shape.size(); ++axis) {
    const bool same = std::all_of(samples.begin(), samples.end(), [&](const TensorMap& sample) {
      const auto& shape = sample.at(name).shape;
      return shape.size() == first.shape.size() && shape[axis] == first.shape[axis];
    });
    model::Dimension dimension;
    if (same) dimension.value = first.shape[axis];
    value.shape->push_back(std::move(dimension));
  }
  return value;
}

class BlockSession final : public Session {
 public:
  BlockSession(std::shared_ptr<Runtime> runtime, Env& env, const model::Model& model,
               SessionOptions options)
      : runtime_(std::move(runtime)),
        env_(env),
        model_(model::clone(model)),
        options_(std::move(options)) {
    options_.arena = false;
    options_.memory_pattern = false;
    lift_constants(model_.graph);
    // Blocks do not declare their constants as inputs, which older versions ask for.
    model_.ir_version = std::max(model_.ir_version, model::kFirstIrWithConstants);
    for (const model::Constant& constant : model_.graph.initializers) {
      constants_[constant.name] = &constant;
    }
    find_fed();
    for (PortInfo& port : model::input_ports(model_)) {
      if (!constants_.contains(port.name)) inputs_.push_back(std::move(port));
    }
    outputs_ = model::output_ports(model_);
  }

  void plan(const BlockOptions& options) {
    largest_ = options.largest_node_bytes;
    blocks_ = plan_blocks(model_.graph, options.block_bytes, options.stand_in_for);
    forced_.insert(options.stand_in_for.begin(), options.stand_in_for.end());
    for (const Block& block : blocks_) {
      if (!is_too_large(block)) continue;
      stood_in_.insert(stood_in_.end(), block.outputs.begin(), block.outputs.end());
      decisions_.push_back(
          {"not_run", name_of(block.nodes.back()),
           fmt::format("its weights take {} unpacked, {} is the most for one node: random values "
                       "stand in for its results in both models",
                       format_bytes(block.weight_bytes), format_bytes(largest_))});
    }
  }

  const std::vector<PortInfo>& inputs() const override { return inputs_; }
  const std::vector<PortInfo>& outputs() const override { return outputs_; }
  const std::string& provider() const override { return provider_; }
  const std::vector<Decision>& decisions() const override { return decisions_; }
  std::optional<int64_t> block_count() const override {
    return static_cast<int64_t>(blocks_.size());
  }

  std::vector<std::string> stood_in() const override { return stood_in_; }

  Result<TensorMap> run(const TensorMap& inputs) const override {
    auto outputs = WATTWISE_TRY(run_all({inputs}));
    return std::move(outputs.front());
  }

  Result<std::vector<TensorMap>> run_all(const std::vector<TensorMap>& samples) const override {
    for (const TensorMap& sample : samples) WATTWISE_TRY(check_inputs(sample));
    std::vector<TensorMap> values = samples;
    for (size_t b = 0; b < blocks_.size(); ++b) {
      const Block& block = blocks_[b];
      if (!block.outputs.empty()) {
        auto made = is_left_out(block) ? stand_in(block, samples) : run_block(block, values);
        if (!made) return std::move(made).error().with_context(describe(b));
        for (size_t i = 0; i < values.size(); ++i) values[i].merge((*made)[i]);
      }
      drop_unread(b, values);
    }
    for (TensorMap& sample : values) WATTWISE_TRY(keep_outputs(sample));
    return values;
  }

  Result<std::string> end_profiling() override {
    return Error(ErrorCode::kUnsupported, "a model that runs in blocks cannot be profiled");
  }

 private:
  void find_fed() {
    for (const model::Constant& constant : model_.graph.initializers) {
      if (constant.data.size() >= kMinFedBytes) fed_.insert(constant.name);
    }
    for (const model::Node& node : model_.graph.nodes) {
      for (const auto& [name, count] : model::count_uses(node)) {
        if (fed_.contains(name) && !takes_as_input(node, *constants_.at(name))) fed_.erase(name);
      }
    }
  }

  bool is_too_large(const Block& block) const { return block.weight_bytes > largest_; }

  bool is_left_out(const Block& block) const {
    return is_too_large(block) ||
           std::any_of(block.outputs.begin(), block.outputs.end(),
                       [&](const std::string& name) { return forced_.contains(name); });
  }

  std::string name_of(size_t i) const {
    const model::Node& node = model_.graph.nodes[i];
    return node.name.empty() ? node.outputs.front() : node.name;
  }

  std::string describe(size_t b) const {
    return fmt::format("block {} of {}, from \"{}\" on", b + 1, blocks_.size(),
                       name_of(blocks_[b].nodes.front()));
  }

  Result<void> check_inputs(const TensorMap& sample) const {
    for (const PortInfo& port : inputs_) {
      const auto it = sample.find(port.name);
      if (it == sample.end()) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("the input {} is missing", describe_port(port)));
      }
      WATTWISE_TRY(check_fit(port, it->second));
    }
    return {};
  }

  model::Model make_model(const Block& block, const std::vector<TensorMap>& values) const {
    model::Model made;
    made.ir_version = model_.ir_version;
    made.opset_imports = model_.opset_imports;
    made.functions = model_.functions;
    made.graph.name = "block";
    for (const size_t i : block.nodes) made.graph.nodes.push_back(model_.graph.nodes[i]);
    for (const std::string& name : block.constants) {
      const auto it = constants_.find(name);
      if (it == constants_.end()) continue;
      if (fed_.contains(name)) {
        made.graph.inputs.push_back(declare(name, {{{name, it->second->tensor_as_stored()}}}));
      } else {
        made.graph.initializers.push_back(*it->second);
      }
    }
    for (const model::SparseConstant& constant : model_.graph.sparse_initializers) {
      const auto& read = block.constants;
      if (!std::binary_search(read.begin(), read.end(), constant.name)) continue;
      made.graph.sparse_initializers.push_back(constant);
    }
    for (const std::string& name : block.inputs) made.graph.inputs.push_back(declare(name, values));
    for (const std::string& name : block.outputs) {
      made.graph.outputs.emplace_back().name = name;
    }
    return made;
  }

  Result<std::vector<TensorMap>> run_block(const Block& block,
                                           const std::vector<TensorMap>& values) const {
    for (const std::string& name : block.inputs) {
      if (values.front().contains(name)) continue;
      return Error(ErrorCode::kCorrupt, fmt::format("the value \"{}\" is not made", name));
    }
    const model::Model made = make_model(block, values);
    SessionOptions options = options_;
    // Folding a large weight's unpacking keeps both forms; small ones have to be folded, since
    // MatMulNBits answers wrongly when it finds its scales no constants (ONNX Runtime 1.32).
    options.optimization = block.unpacked_bytes > kMostFolded ? GraphOptimization::kDisabled
                                                              : GraphOptimization::kBasic;
    const auto session = WATTWISE_TRY(open_session(runtime_, env_, made, "the block", options));
    if (model_.store) model_.store->release_all();  // what was copied
    TensorMap weights;
    for (const std::string& name : block.constants) {
      if (fed_.contains(name)) weights[name] = constants_.at(name)->tensor();
    }
    std::vector<TensorMap> results;
    for (const TensorMap& sample : values) {
      TensorMap inputs = weights;
      for (const std::string& name : block.inputs) inputs[name] = sample.at(name);
      TensorMap outputs = WATTWISE_TRY(session->run(inputs));
      // The runtime's buffers would keep the block's session alive.
      for (auto& [name, tensor] : outputs) tensor.data = Bytes::copy_of(tensor.data.view());
      results.push_back(std::move(outputs));
    }
    if (model_.store) model_.store->release_all();
    return results;
  }

  Result<std::vector<TensorMap>> stand_in(const Block& block,
                                          const std::vector<TensorMap>& samples) const {
    std::vector<TensorMap> results;
    for (const TensorMap& sample : samples) {
      InputGuess guess;
      for (const auto& [name, tensor] : sample) {
        for (size_t axis = 0; axis < tensor.shape.size(); ++axis) {
          guess.dimensions[fmt::format("{}:{}", name, axis)] = tensor.shape[axis];
        }
      }
      const auto shapes = WATTWISE_TRY(infer_shapes(runtime_, env_, model_, guess));
      TensorMap made;
      for (const std::string& name : block.outputs) {
        const auto it = shapes.find(name);
        if (it == shapes.end()) {
          return Error(ErrorCode::kExhausted,
                       fmt::format("\"{}\" takes more memory than there is for one node, and its "
                                   "shape is not known",
                                   name));
        }
        const PortInfo port{name, it->second.type, it->second.shape, {}};
        made.merge(WATTWISE_TRY(make_random_inputs({port}, {}, seed_of(name))));
      }
      results.push_back(std::move(made));
    }
    return results;
  }

  /// Drops what no later block reads.
  void drop_unread(size_t done, std::vector<TensorMap>& values) const {
    std::set<std::string> wanted;
    for (const PortInfo& port : outputs_) wanted.insert(port.name);
    for (size_t b = done + 1; b < blocks_.size(); ++b) {
      wanted.insert(blocks_[b].inputs.begin(), blocks_[b].inputs.end());
    }
    for (TensorMap& sample : values) {
      std::erase_if(sample, [&](const auto& entry) { return !wanted.contains(entry.first); });
    }
  }

  Result<void> keep_outputs(TensorMap& sample) const {
    TensorMap kept;
    for (const PortInfo& port : outputs_) {
      const auto constant = constants_.find(port.name);
      const auto value = sample.find(port.name);
      if (value == sample.end() && constant == constants_.end()) {
        return Error(ErrorCode::kCorrupt, fmt::format("the output \"{}\" is not made", port.name));
      }
      kept[port.name] = value != sample.end() ? value->second : constant->second->tensor();
    }
    sample = std::move(kept);
    return {};
  }

  std::shared_ptr<Runtime> runtime_;  // shared with the sessions of the blocks
  Env& env_;
  model::Model model_;
  SessionOptions options_;
  uint64_t largest_ = 0;
  std::unordered_set<std::string> forced_;  ///< values that are stood in for all the same
  std::vector<std::string> stood_in_;
  std::vector<Block> blocks_;
  std::unordered_map<std::string, const model::Constant*> constants_;
  std::unordered_set<std::string> fed_;  ///< constants that blocks take as inputs
  std::vector<PortInfo> inputs_;
  std::vector<PortInfo> outputs_;
  std::string provider_ = "cpu";
  std::vector<Decision> decisions_;
};

}  // namespace

Result<std::unique_ptr<Session>> open_block_session(const std::shared_ptr<Runtime>& runtime,
                                                    Env& env, const model::Model& model,
                                                    const SessionOptions& options,
                                                    const BlockOptions& blocks) {
  auto session = std::make_unique<BlockSession>(runtime, env, model, options);
  session->plan(blocks);
  return std::unique_ptr<Session>(std::move(session));
}

}  // namespace wattwise::engine
