// SPDX-License-Identifier: Apache-2.0
#include "quantize/techniques.h"

#include <array>

namespace wattwise::quantize {
namespace {

constexpr std::array kTechniques = {
    TechniqueRow{Technique::kClippingSearch, "clipping_search", true,
                 "of several scales the one with the least squared error, of the weights or of "
                 "what they make"},
    TechniqueRow{Technique::kSmoothQuant, "smooth_quant", true,
                 "what integers multiply is made even by what stands before (calibration data)"},
    TechniqueRow{Technique::kGptq, "gptq", true,
                 "each row of a matrix makes up for the rounding of those before (calibration "
                 "data)"},
    TechniqueRow{Technique::kBiasCorrection, "bias_correction", false,
                 "biases take back what rounded weights add to the mean (calibration data)"},
    TechniqueRow{Technique::kCrossLayerEqualization, "cross_layer_equalization", false,
                 "convolutions in a row get equal ranges of weights, exactly"},
    TechniqueRow{Technique::kAwq, "awq", false,
                 "rows that multiply much are made larger before 4 bits round them (calibration "
                 "data)"},
    TechniqueRow{Technique::kAdaRound, "adaround", false,
                 "each weight of a matrix goes up or down by what its products lose (calibration "
                 "data)"},
};

}  // namespace

std::span<const TechniqueRow> technique_table() { return kTechniques; }

std::vector<std::string> technique_words() {
  std::vector<std::string> words;
  for (const TechniqueRow& row : kTechniques) {
    words.emplace_back(row.name);
    words.push_back("-" + words.back());
  }
  return words;
}

Techniques::Techniques(const QuantizationConfig& config) {
  for (const TechniqueRow& row : kTechniques) {
    bool is_used = row.is_usual;
    for (const std::string_view word : config.techniques) {
      if (word == row.name) is_used = true;
      if (word.starts_with('-') && word.substr(1) == row.name) is_used = false;
    }
    if (is_used) bits_ |= bit(row.technique);
  }
}

}  // namespace wattwise::quantize
