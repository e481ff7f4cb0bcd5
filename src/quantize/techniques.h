// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quantize/kernels.h"
#include "wattwise/config.h"

namespace wattwise::quantize {

/// Ways to lose less by the same bits. Methods use, where they fit, those that are usual and what
/// the setting quantization.techniques names beside, but for what it names with a "-" in front.
enum class Technique : uint8_t {
  kClippingSearch,
  kSmoothQuant,
  kGptq,
  kBiasCorrection,
  kCrossLayerEqualization,
  kAwq,
  kAdaRound,
};

struct TechniqueRow {
  Technique technique;
  std::string_view name;  ///< as the setting spells it
  bool is_usual;          ///< used unless the setting says otherwise: what it gains was measured
  std::string_view description;
};

/// All of them, in the order of the enumeration.
std::span<const TechniqueRow> technique_table();

/// What the setting may say.
std::vector<std::string> technique_words();

/// A set of them.
class Techniques {
 public:
  Techniques() = default;
  /// As the setting says; of "gptq" and "-gptq" the latter one. Other words than technique_words()
  /// are passed over: the setting is checked where it is read.
  explicit Techniques(const QuantizationConfig& config);

  bool has(Technique technique) const { return (bits_ & bit(technique)) != 0; }
  /// Whether one is among them that needs what matrices multiply.
  bool need_inputs() const {
    return has(Technique::kGptq) || has(Technique::kBiasCorrection) || has(Technique::kAdaRound);
  }
  /// How the scales of weights are chosen.
  ScaleChoice scale_choice() const {
    return has(Technique::kClippingSearch) ? ScaleChoice::kLeastError : ScaleChoice::kKeepLargest;
  }

 private:
  static unsigned bit(Technique technique) { return 1U << static_cast<unsigned>(technique); }
  unsigned bits_ = 0;
};

}  // namespace wattwise::quantize
