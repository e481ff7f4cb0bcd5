// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "wattwise/result.h"
#include "wattwise/tensor.h"

namespace wattwise::quantize {

/// A type that activations are held in.
struct ActivationType {
  std::string_view name;
  DataType type;
  double low;
  double high;
  int64_t opset;  ///< the first operator set whose QuantizeLinear makes it
};

/// How an operator is spelled between DequantizeLinear and QuantizeLinear.
enum class QdqRole {
  kWeights,        ///< int8 weights and an int32 bias where these are constants; else as kOperands
  kOperands,       ///< all its inputs are quantized, constants included
  kValue,          ///< the first input is; others are parameters
  kMove,           ///< moves elements of the first input: its outputs share that one's scale
  kNormalization,  ///< a constant scale of 8 bits and an int32 bias
};

/// What an execution provider computes on quantized activations: a file of data/providers/.
struct ProviderOperators {
  struct Activations {
    const ActivationType* type;
    bool in_bytes;  ///< by integer_plan.h, whose table knows what pays; else by qdq_writer.h
    std::string warning;
    std::set<std::string, std::less<>> lacks =
        {};  ///< operators that it does not have of this type
  };
  std::string id;
  std::vector<Activations> activations;  ///< what is usual first
  std::map<std::string, QdqRole, std::less<>> operators;
};

/// kCorrupt names what is wrong with the file.
Result<ProviderOperators> read_provider_operators(const Json& row);

/// How `static` holds activations for a provider.
struct ActivationForm {
  std::shared_ptr<const ProviderOperators> provider = nullptr;
  const ProviderOperators::Activations* activations = nullptr;  ///< of the provider
  bool is_fixed = false;                                        ///< the caller wants this type

  /// Whether operators stand between QuantizeLinear and DequantizeLinear.
  bool is_qdq() const { return activations && !activations->in_bytes; }
  /// What to try where this one loses too much: the provider's next type of the same spelling.
  std::optional<ActivationForm> next() const;
};

/// `wanted` is what quantization.activation_type says. kInvalidArgument if the provider does not
/// compute in it, with what it computes in.
Result<ActivationForm> choose_activations(ProviderOperators provider, std::string_view wanted);

}  // namespace wattwise::quantize
