// SPDX-License-Identifier: Apache-2.0
#include "optimize/linear_operator.h"

#include <algorithm>

namespace wattwise::optimize {
namespace {

bool is_no_shift(double value) { return value == 0; }

bool pads_nothing(const model::Node& node) {
  const std::string auto_pad = node.string_or("auto_pad", "NOTSET");
  const std::vector<int64_t> pads = node.ints_or_empty("pads");
  return (auto_pad == "NOTSET" || auto_pad == "VALID") &&
         std::all_of(pads.begin(), pads.end(), [](int64_t pad) { return pad == 0; });
}

}  // namespace

std::optional<LinearOperator> LinearOperator::read(const GraphEditor& graph, model::Node& node,
                                                   std::optional<size_t> input_rank) {
  const bool transposed = node.is("ConvTranspose");
  const bool convolution = node.is("Conv") || transposed;
  if (!convolution && !node.is("MatMul") && !node.is("Gemm")) return std::nullopt;
  if (node.inputs.size() < 2) return std::nullopt;
  const model::Constant* weights = graph.constant(node.inputs[1]);
  if (!weights || weights->type != DataType::kFloat || weights->element_count() == 0) {
    return std::nullopt;
  }
  LinearOperator linear;
  linear.node_ = &node;
  linear.constant_ = weights;
  const bool fits = convolution         ? linear.read_convolution(graph, transposed)
                    : node.is("MatMul") ? linear.read_matmul(input_rank)
                                        : linear.read_gemm(graph);
  return fits ? std::optional(std::move(linear)) : std::nullopt;
}

bool LinearOperator::read_convolution(const GraphEditor& graph, bool transposed) {
  const std::vector<int64_t>& shape = constant_->shape;
  const int64_t groups = node_->int_or("group", 1);
  if (shape.size() < 3 || groups < 1 || shape[0] % groups != 0) return false;
  const ChannelAxis whole{shape.size() - 2, shape[0], shape.size()};
  const ChannelAxis grouped{shape.size() - 2, shape[1] * groups, shape.size()};
  input_ = transposed ? whole : grouped;
  output_ = transposed ? grouped : whole;
  layout_ = transposed ? Layout::kInOut : Layout::kOutIn;
  groups_ = static_cast<size_t>(groups);
  taps_ = static_cast<size_t>(constant_->element_count() / (shape[0] * shape[1]));
  // The taps of a transposed convolution do not all reach every output.
  spreads_evenly_ = !transposed && pads_nothing(*node_);
  return read_bias(graph, 1);
}

bool LinearOperator::read_matmul(std::optional<size_t> input_rank) {
  const std::vector<int64_t>& shape = constant_->shape;
  if (shape.size() != 2 || !input_rank || *input_rank == 0) return false;
  input_ = {0, shape[0], *input_rank};
  output_ = {0, shape[1], *input_rank};
  layout_ = Layout::kInOut;
  takes_bias_ = false;
  bias_.assign(static_cast<size_t>(output_.count), 0);
  return true;
}

bool LinearOperator::read_gemm(const GraphEditor& graph) {
  const std::vector<int64_t>& shape = constant_->shape;
  if (shape.size() != 2) return false;
  const bool out_first = node_->int_or("transB", 0) != 0;
  const size_t transposed_input = node_->int_or("transA", 0) != 0 ? 1 : 0;
  input_ = {transposed_input, shape[out_first ? 1 : 0], 2};
  output_ = {0, shape[out_first ? 0 : 1], 2};
  layout_ = out_first ? Layout::kOutIn : Layout::kInOut;
  alpha_ = static_cast<double>(node_->float_or("alpha", 1));
  return read_bias(graph, static_cast<double>(node_->float_or("beta", 1)));
}

bool LinearOperator::read_bias(const GraphEditor& graph, double factor) {
  bias_.assign(static_cast<size_t>(output_.count), 0);
  if (node_->inputs.size() < 3 || node_->inputs[2].empty()) return true;
  const auto constant = array_of(graph.constant(node_->inputs[2]));
  if (!constant) return false;
  const ChannelAxis axis{0, output_.count, 2};
  const auto values = per_channel(*constant, axis);
  if (!values) return false;
  for (size_t m = 0; m < bias_.size(); ++m) bias_[m] = factor * (*values)[m];
  return true;
}

void LinearOperator::load_weights() {
  if (!weights_.empty()) return;
  const std::vector<float> values = float_values(*constant_);
  weights_.assign(values.begin(), values.end());
  for (double& weight : weights_) weight *= alpha_;
}

template <typename Visit>
void LinearOperator::for_each_weight(const Visit& visit) {
  const bool out_first = layout_ == Layout::kOutIn;
  const auto outer_total = static_cast<size_t>(out_first ? output_.count : input_.count);
  const auto inner_total = static_cast<size_t>(out_first ? input_.count : output_.count);
  const size_t inner_per_group = inner_total / groups_;
  double* weight = weights_.data();
  for (size_t outer = 0; outer < outer_total; ++outer) {
    const size_t first = outer / (outer_total / groups_) * inner_per_group;
    for (size_t inner = first; inner < first + inner_per_group; ++inner) {
      const Channels channels = out_first ? Channels{inner, outer} : Channels{outer, inner};
      for (size_t tap = 0; tap < taps_; ++tap) visit(*weight++, channels);
    }
  }
}

void LinearOperator::apply_after(const std::vector<double>& scale,
                                 const std::vector<double>& shift) {
  load_weights();
  for_each_weight([&](double& weight, const Channels& at) { weight *= scale[at.out]; });
  for (size_t m = 0; m < bias_.size(); ++m) bias_[m] = bias_[m] * scale[m] + shift[m];
}

std::vector<double> LinearOperator::apply_before(const std::vector<double>& scale,
                                                 const std::vector<double>& shift) {
  load_weights();
  std::vector<double> added(bias_.size(), 0);
  for_each_weight([&](double& weight, const Channels& at) {
    added[at.out] += weight * shift[at.in];
    weight *= scale[at.in];
  });
  if (!takes_bias_) return added;
  for (size_t m = 0; m < bias_.size(); ++m) bias_[m] += added[m];
  return added;
}

bool LinearOperator::fits() const {
  return float_tensor({constant_->shape, weights_}) && float_tensor({{output_.count}, bias_});
}

void LinearOperator::write_bias(GraphEditor& graph) const {
  const bool had_one = node_->inputs.size() > 2 && !node_->inputs[2].empty();
  if (!takes_bias_ || (!had_one && std::all_of(bias_.begin(), bias_.end(), is_no_shift))) return;
  std::vector<std::string> inputs = node_->inputs;
  inputs.resize(3);
  const std::string base = had_one ? inputs[2] : node_->outputs[0] + "_bias";
  inputs[2] = graph.add_constant(base, *float_tensor({{output_.count}, bias_}));
  graph.set_inputs(*node_, std::move(inputs));
}

void LinearOperator::write(GraphEditor& graph) const {
  const Tensor weights = *float_tensor({constant_->shape, weights_});
  graph.set_input(*node_, 1, graph.add_constant(node_->inputs[1], weights));
  write_bias(graph);
  for (const char* factor : {"alpha", "beta"}) {
    if (node_->is("Gemm") && node_->attribute(factor)) node_->set_attribute(factor, 1.0F);
  }
}

}  // namespace wattwise::optimize
