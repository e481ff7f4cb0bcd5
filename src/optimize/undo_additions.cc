// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/text.h"
#include "optimize/opset_adapters.h"

namespace wattwise::optimize {
namespace {

/// Operators that a set brought. Of those before set 8 all are there.
struct NewOps {
  int64_t version;
  std::string_view ops;
};
constexpr std::array kNewOps = {
    NewOps{8, "Expand Scan"},
    NewOps{9,
           "Acosh Asinh Atanh Compress ConstantOfShape Cosh Erf EyeLike IsNaN MaxUnpool "
           "MeanVarianceNormalization NonZero OneHot Scatter Shrink Sign Sinh TfIdfVectorizer "
           "Where"},
    NewOps{10,
           "ConvInteger DequantizeLinear IsInf MatMulInteger Mod NonMaxSuppression QLinearConv "
           "QLinearMatMul QuantizeLinear Resize ReverseSequence RoiAlign StringNormalizer "
           "ThresholdedRelu"},
    NewOps{11,
           "BitShift ConcatFromSequence CumSum Det DynamicQuantizeLinear GatherElements GatherND "
           "Range Round ScatterElements ScatterND SequenceAt SequenceConstruct SequenceEmpty "
           "SequenceErase SequenceInsert SequenceLength SplitToSequence Unique"},
    NewOps{12,
           "Celu Einsum GreaterOrEqual LessOrEqual NegativeLogLikelihoodLoss "
           "SoftmaxCrossEntropyLoss"},
    NewOps{14, "HardSwish Trilu"},
    NewOps{15, "Bernoulli CastLike Optional OptionalGetElement OptionalHasElement"},
    NewOps{16, "GridSample"},
    NewOps{17,
           "BlackmanWindow DFT HammingWindow HannWindow LayerNormalization MelWeightMatrix STFT "
           "SequenceMap"},
    NewOps{18,
           "BitwiseAnd BitwiseNot BitwiseOr BitwiseXor CenterCropPad Col2Im GroupNormalization "
           "Mish"},
    NewOps{19, "DeformConv"},
    NewOps{20, "AffineGrid Gelu ImageDecoder RegexFullMatch StringConcat StringSplit"},
    NewOps{23, "Attention RMSNormalization RotaryEmbedding"},
    NewOps{24, "Swish TensorScatter"}};

/// An attribute that a set brought, with the value that says what older sets mean: a number, or one
/// of several words.
struct NewAttribute {
  std::string_view op;
  int64_t version;
  std::string_view attribute;
  int64_t number;
  std::string_view words = {};
};
constexpr std::array kNewAttributes = {
    NewAttribute{"MaxPool", 8, "storage_order", 0},
    NewAttribute{"AveragePool", 10, "ceil_mode", 0},
    NewAttribute{"MaxPool", 10, "ceil_mode", 0},
    NewAttribute{"MaxPool", 10, "dilations", 1},
    NewAttribute{"DepthToSpace", 11, "mode", 0, "DCR"},
    NewAttribute{"TopK", 11, "largest", 1},
    NewAttribute{"TopK", 11, "sorted", 1},
    NewAttribute{"ArgMax", 12, "select_last_index", 0},
    NewAttribute{"ArgMin", 12, "select_last_index", 0},
    NewAttribute{"GatherND", 12, "batch_dims", 0},
    NewAttribute{"BatchNormalization", 14, "training_mode", 0},
    NewAttribute{"GRU", 14, "layout", 0},
    NewAttribute{"LSTM", 14, "layout", 0},
    NewAttribute{"RNN", 14, "layout", 0},
    NewAttribute{"Reshape", 14, "allowzero", 0},
    NewAttribute{"ScatterElements", 16, "reduction", 0, "none"},
    NewAttribute{"ScatterND", 16, "reduction", 0, "none"},
    NewAttribute{"LpPool", 18, "ceil_mode", 0},
    NewAttribute{"LpPool", 18, "dilations", 1},
    NewAttribute{"Resize", 18, "antialias", 0},
    NewAttribute{"Resize", 18, "keep_aspect_ratio_policy", 0, "stretch"},
    NewAttribute{"AveragePool", 19, "dilations", 1},
    NewAttribute{"Cast", 19, "saturate", 1},
    NewAttribute{"CastLike", 19, "saturate", 1},
    NewAttribute{"QuantizeLinear", 19, "saturate", 1},
    NewAttribute{"DequantizeLinear", 21, "block_size", 0},
    NewAttribute{"QuantizeLinear", 21, "block_size", 0},
    NewAttribute{"QuantizeLinear", 21, "output_dtype", 0},
    NewAttribute{"DequantizeLinear", 23, "output_dtype", 0},
    NewAttribute{"QuantizeLinear", 23, "precision", 0},
    NewAttribute{"Cast", 24, "round_mode", 0, "up"},
    NewAttribute{"CastLike", 24, "round_mode", 0, "up"}};

/// A word that a set added to those that an attribute may hold.
struct NewWord {
  std::string_view op;
  int64_t version;
  std::string_view attribute;
  std::string_view word;
};
constexpr std::array kNewWords = {
    NewWord{"ScatterElements", 18, "reduction", "max"},
    NewWord{"ScatterElements", 18, "reduction", "min"},
    NewWord{"ScatterND", 18, "reduction", "max"},
    NewWord{"ScatterND", 18, "reduction", "min"},
    NewWord{"Pad", 19, "mode", "wrap"},
    NewWord{"Resize", 19, "coordinate_transformation_mode", "half_pixel_symmetric"}};

/// Axes may be negative since set 11: in the attribute `axis` or `axes`.
constexpr int64_t kNegativeAxes = 11;
constexpr std::array kOpsWithAxes = {
    "ArgMax",          "ArgMin",     "Compress",  "Concat",     "Flatten",      "Gather",
    "Hardmax",         "LogSoftmax", "ReduceL1",  "ReduceL2",   "ReduceLogSum", "ReduceLogSumExp",
    "ReduceMax",       "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",    "ReduceSumSquare",
    "ScatterElements", "Softmax",    "Split",     "Squeeze",    "Unsqueeze"};

bool is_named(std::string_view list, std::string_view op) {
  for (const std::string& name : split(list, ' ')) {
    if (name == op) return true;
  }
  return false;
}

bool has_row(const model::Node& node, int64_t version) {
  const auto rows = lowering_adapters();
  return std::any_of(rows.begin(), rows.end(), [&](const AdapterRow& row) {
    return row.version == version && node.is(row.op);
  });
}

bool says_what_held_before(const model::Attribute& attribute, const NewAttribute& row) {
  if (const auto* word = std::get_if<std::string>(&attribute.value)) return *word == row.words;
  if (const auto* number = std::get_if<int64_t>(&attribute.value)) return *number == row.number;
  const auto* numbers = std::get_if<std::vector<int64_t>>(&attribute.value);
  return numbers && std::all_of(numbers->begin(), numbers->end(),
                                [&](int64_t value) { return value == row.number; });
}

Result<void> undo_attributes(model::Node& node, int64_t version) {
  for (const NewAttribute& row : kNewAttributes) {
    if (row.version != version || !node.is(row.op)) continue;
    const model::Attribute* attribute = node.attribute(row.attribute);
    if (!attribute) continue;
    if (!says_what_held_before(*attribute, row)) {
      return no_form(fmt::format("its {} came with operator set {}", row.attribute, version));
    }
    drop_attribute(node, row.attribute);
  }
  for (const NewWord& row : kNewWords) {
    if (row.version != version || !node.is(row.op)) continue;
    if (node.string_or(row.attribute, "") != row.word) continue;
    return no_form(
        fmt::format("{} as its {} came with operator set {}", row.word, row.attribute, version));
  }
  return {};
}

/// Of what the axes count: an Unsqueeze's are those of its result.
std::optional<int64_t> rank_for_axes(const AdapterContext& context, const model::Node& node) {
  auto rank = context.facts.rank(node.inputs[0]);
  if (rank && node.is("Unsqueeze")) {
    *rank += static_cast<int64_t>(node.ints_or_empty("axes").size());
  }
  return rank;
}

Result<void> count_axes_from_start(const AdapterContext& context, model::Node& node) {
  const auto is_op = [&](const char* op) { return node.is(op); };
  if (std::none_of(kOpsWithAxes.begin(), kOpsWithAxes.end(), is_op)) return {};
  const auto rank = rank_for_axes(context, node);
  for (const char* name : {"axis", "axes"}) {
    model::Attribute* attribute = node.attribute(name);
    if (!attribute) continue;
    auto* one = std::get_if<int64_t>(&attribute->value);
    auto* many = std::get_if<std::vector<int64_t>>(&attribute->value);
    const std::span<int64_t> axes = one    ? std::span(one, 1)
                                    : many ? std::span(*many)
                                           : std::span<int64_t>();
    for (int64_t& axis : axes) {
      if (axis >= 0) continue;
      if (!rank) {
        return no_form(
            fmt::format("its axis {} counts from the end, and the rank of {} is not "
                        "known",
                        axis, node.inputs[0]));
      }
      axis += *rank;
    }
  }
  return {};
}

}  // namespace

Result<void> undo_additions(const AdapterContext& context, model::Node& node, int64_t version) {
  for (const NewOps& row : kNewOps) {
    if (row.version != version || has_row(node, version)) continue;
    if (is_named(row.ops, node.op_type)) {
      return no_form(fmt::format("the operator came with set {}", version));
    }
  }
  WATTWISE_TRY(undo_attributes(node, version));
  if (version == kNegativeAxes) return count_axes_from_start(context, node);
  return {};
}

}  // namespace wattwise::optimize
