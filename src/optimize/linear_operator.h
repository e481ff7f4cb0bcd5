// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "optimize/affine.h"
#include "optimize/graph_editor.h"

namespace wattwise::optimize {

/// A Conv, ConvTranspose, MatMul or Gemm with constant float weights: y = W x + bias, channel by
/// channel. Changes go to a copy in double precision; write() puts it into the graph.
class LinearOperator {
 public:
  /// Absent if the node is none, or its weights or bias are not constant floats. `input_rank` is
  /// that of its first input, as far as known; MatMul needs it. Cheap: no weight is read yet.
  static std::optional<LinearOperator> read(const GraphEditor& graph, model::Node& node,
                                            std::optional<size_t> input_rank);

  model::Node& node() const { return *node_; }
  const ChannelAxis& input() const { return input_; }
  const ChannelAxis& output() const { return output_; }
  /// False for MatMul, which cannot hold a bias: shifts must be zero.
  bool takes_bias() const { return takes_bias_; }
  /// Whether a number added to an input channel adds the same to all of an output channel: not so
  /// where zeros are padded.
  bool spreads_evenly() const { return spreads_evenly_; }

  /// Makes it y * scale + shift.
  void apply_after(const std::vector<double>& scale, const std::vector<double>& shift);
  /// Makes it take x where it took x * scale + shift; returns what that adds to each output, which
  /// is in the bias already if it takes one.
  std::vector<double> apply_before(const std::vector<double>& scale,
                                   const std::vector<double>& shift);

  /// Whether weights and bias can be stored as floats.
  bool fits() const;
  /// Weights and bias become new constants of the graph. Precondition: something was applied, and
  /// the result fits.
  void write(GraphEditor& graph) const;

 private:
  /// Which layout the weights have, outer to inner.
  enum class Layout { kOutIn, kInOut };
  struct Channels {
    size_t in;
    size_t out;
  };

  LinearOperator() = default;
  bool read_convolution(const GraphEditor& graph, bool transposed);
  bool read_matmul(std::optional<size_t> input_rank);
  bool read_gemm(const GraphEditor& graph);
  bool read_bias(const GraphEditor& graph, double factor);
  void load_weights();
  /// Calls visit(weight, channels) in the order of the weights.
  template <typename Visit>
  void for_each_weight(const Visit& visit);
  void write_bias(GraphEditor& graph) const;

  model::Node* node_ = nullptr;
  ChannelAxis input_;
  ChannelAxis output_;
  bool takes_bias_ = true;
  bool spreads_evenly_ = true;
  Layout layout_ = Layout::kOutIn;
  size_t groups_ = 1;
  size_t taps_ = 1;                            ///< weights per pair of channels
  const model::Constant* constant_ = nullptr;  ///< of the weights
  double alpha_ = 1;                           ///< what Gemm multiplies them by
  std::vector<double> weights_;                ///< read when first changed
  std::vector<double> bias_;
};

}  // namespace wattwise::optimize
