// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

// The two ways in which x86 processors add products of unsigned by signed bytes, as the "Intel 64
// and IA-32 Architectures Software Developer's Manual", volume 2, defines the instructions. Oracles
// of tests.
namespace wattwise::quantize {

inline uint8_t byte_at(const std::vector<uint8_t>& a, size_t i) { return i < a.size() ? a[i] : 0; }
inline int8_t byte_at(const std::vector<int8_t>& w, size_t i) { return i < w.size() ? w[i] : 0; }

/// Without VNNI. VPMADDUBSW: two neighbours' products, added in 16 bits with saturation. VPMADDWD
/// by ones: two such sums in 32 bits. VPADDD: 32 bits that wrap. Kernels fill up with zeros.
inline int32_t dot_without_vnni(const std::vector<uint8_t>& a, const std::vector<int8_t>& w) {
  uint32_t sum = 0;
  for (size_t i = 0; i < w.size(); i += 4) {
    std::array<int16_t, 2> words;
    for (size_t word = 0; word < 2; ++word) {
      const size_t at = i + 2 * word;
      const int32_t pair =
          byte_at(a, at) * byte_at(w, at) + byte_at(a, at + 1) * byte_at(w, at + 1);
      words[word] = static_cast<int16_t>(std::clamp(pair, INT16_MIN, INT16_MAX));
    }
    sum += static_cast<uint32_t>(words[0] * 1 + words[1] * 1);
  }
  return static_cast<int32_t>(sum);
}

/// VPDPBUSD: four neighbours' products, each exact in 16 bits, added to 32 bits that wrap.
inline int32_t dot_with_vnni(const std::vector<uint8_t>& a, const std::vector<int8_t>& w) {
  uint32_t sum = 0;
  for (size_t i = 0; i < w.size(); i += 4) {
    for (size_t at = i; at < i + 4; ++at) {
      sum += static_cast<uint32_t>(byte_at(a, at) * byte_at(w, at));
    }
  }
  return static_cast<int32_t>(sum);
}

/// Positions 2i at which some activations make the two differ. A product's sum is largest and
/// smallest where each of its bytes is 0 or 255, so those decide.
inline std::vector<size_t> saturating_positions(const std::vector<int8_t>& w) {
  std::vector<size_t> found;
  for (size_t i = 0; i < w.size(); i += 2) {
    bool differs = false;
    for (const int corner : {1, 2, 3}) {
      std::vector<uint8_t> a(w.size());
      if (corner & 1) a[i] = 255;
      if (corner & 2 && i + 1 < w.size()) a[i + 1] = 255;
      differs = differs || dot_without_vnni(a, w) != dot_with_vnni(a, w);
    }
    if (differs) found.push_back(i);
  }
  return found;
}

}  // namespace wattwise::quantize
