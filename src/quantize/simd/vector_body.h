// SPDX-License-Identifier: Apache-2.0
// The kernels in vectors. Included once by each file of an instruction set, inside of its unnamed
// namespace, after it has defined
//   KERNEL_TARGET   the attribute of functions that may use the instructions;
//   Vector          so many floats, with + - * / of its own, and kWidth of them;
//   load, store, set, larger, smaller, has_larger, magnitude, with_sign_of, load_bytes,
//   store_bytes
//                   for it.
// NOLINTBEGIN(llvm-header-guard, google-build-using-namespace, bugprone-suspicious-include)

using namespace elements;

KERNEL_TARGET inline Vector load(const FileFloat* x) {
  Vector loaded;
  std::memcpy(&loaded, x, sizeof loaded);
  return loaded;
}

KERNEL_TARGET inline Vector round_small_each(Vector x) {
  return (x + set(kNoFraction)) - set(kNoFraction);
}

KERNEL_TARGET inline Vector round_int8_each(Vector weight, Vector inverse) {
  return smaller(larger(round_small_each(weight * inverse), set(-kInt8Max)), set(kInt8Max));
}

KERNEL_TARGET inline Vector square_of_error_each(Vector weight, Vector q, Vector scale) {
  const Vector error = weight - q * scale;
  return error * error;
}

struct VectorPair {
  Vector a, b;
};

KERNEL_TARGET inline VectorPair round_pair_each(Vector a, Vector b, Vector inverse) {
  const Vector qa = round_int8_each(a, inverse);
  const Vector qb = round_int8_each(b, inverse);
  const Vector sum = qa + qb;
  const Vector excess = larger(magnitude(sum) - set(kPairLimit), set(0));
  const Vector half = round_small_each(excess * set(0.5F) - set(0.25F));
  const Vector rest = excess - half;
  return {qa - with_sign_of(half, sum), qb - with_sign_of(rest, sum)};
}

KERNEL_TARGET float largest(const FileFloat* w, size_t count) {
  Vector found = set(0);
  size_t i = 0;
  for (; i + kWidth <= count; i += kWidth) found = larger(magnitude(load(w + i)), found);
  std::array<float, kWidth> lanes;
  store(lanes.data(), found);
  float all = 0;
  for (const float lane : lanes) all = elements::larger(lane, all);
  for (; i < count; ++i) all = elements::larger(std::fabs(w[i]), all);
  return all;
}

KERNEL_TARGET void raise_largest(const FileFloat* w, size_t count, float* found) {
  size_t c = 0;
  for (; c + kWidth <= count; c += kWidth) {
    store(found + c, larger(magnitude(load(w + c)), load(found + c)));
  }
  kScalarKernels.raise_largest(w + c, count - c, found + c);
}

KERNEL_TARGET void raise_largest_sum(const FileFloat* a, const FileFloat* b, size_t count,
                                     float* found) {
  size_t c = 0;
  for (; c + kWidth <= count; c += kWidth) {
    store(found + c, larger(magnitude(load(a + c) + load(b + c)), load(found + c)));
  }
  kScalarKernels.raise_largest_sum(a + c, b + c, count - c, found + c);
}

/// Sums in kSumLanes lanes.
struct VectorSums {
  Vector signal[kSumLanes / kWidth];
  Vector noise[kSumLanes / kWidth];
};

KERNEL_TARGET inline float sum_of(const Vector (&sums)[kSumLanes / kWidth]) {
  std::array<float, kSumLanes> lanes;
  for (size_t v = 0; v < kSumLanes / kWidth; ++v) store(lanes.data() + v * kWidth, sums[v]);
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

KERNEL_TARGET inline void clear(VectorSums& sums) {
  for (size_t v = 0; v < kSumLanes / kWidth; ++v) sums.signal[v] = sums.noise[v] = set(0);
}

KERNEL_TARGET inline void add_to(SquaredSums& sums, float weight, float square) {
  sums.signal += weight * weight;
  sums.noise += square;
}

KERNEL_TARGET SquaredSums round_error(const FileFloat* w, size_t count, float scale) {
  const float inverse = 1 / scale;
  VectorSums sums;
  clear(sums);
  size_t i = 0;
  for (; i + kSumLanes <= count; i += kSumLanes) {
    for (size_t v = 0; v < kSumLanes / kWidth; ++v) {
      const Vector weight = load(w + i + v * kWidth);
      const Vector rounded = round_int8_each(weight, set(inverse));
      sums.signal[v] = sums.signal[v] + weight * weight;
      sums.noise[v] = sums.noise[v] + square_of_error_each(weight, rounded, set(scale));
    }
  }
  SquaredSums total{sum_of(sums.signal), sum_of(sums.noise)};
  for (; i < count; ++i) {
    add_to(total, w[i], square_of_error(w[i], round_int8(w[i], inverse), scale));
  }
  return total;
}

KERNEL_TARGET void round(const FileFloat* w, size_t count, float scale, int8_t* q) {
  const float inverse = 1 / scale;
  size_t i = 0;
  for (; i + kWidth <= count; i += kWidth) {
    store_bytes(q + i, round_int8_each(load(w + i), set(inverse)));
  }
  kScalarKernels.round(w + i, count - i, scale, q + i);
}

KERNEL_TARGET SquaredSums loss(const FileFloat* w, const int8_t* q, size_t count, float scale) {
  VectorSums sums;
  clear(sums);
  size_t i = 0;
  for (; i + kSumLanes <= count; i += kSumLanes) {
    for (size_t v = 0; v < kSumLanes / kWidth; ++v) {
      const size_t at = i + v * kWidth;
      const Vector weight = load(w + at);
      sums.signal[v] = sums.signal[v] + weight * weight;
      sums.noise[v] = sums.noise[v] + square_of_error_each(weight, load_bytes(q + at), set(scale));
    }
  }
  SquaredSums total{sum_of(sums.signal), sum_of(sums.noise)};
  for (; i < count; ++i) add_to(total, w[i], square_of_error(w[i], q[i], scale));
  return total;
}

KERNEL_TARGET void add_losses(const FileFloat* w, const int8_t* q, std::span<const float> scales,
                              const ColumnSums& sums) {
  size_t c = 0;
  for (; c + kWidth <= scales.size(); c += kWidth) {
    const Vector weight = load(w + c);
    const Vector square = square_of_error_each(weight, load_bytes(q + c), load(scales.data() + c));
    store(sums.signal + c, load(sums.signal + c) + weight * weight);
    store(sums.noise + c, load(sums.noise + c) + square);
  }
  kScalarKernels.add_losses(w + c, q + c, scales.subspan(c), {sums.signal + c, sums.noise + c});
}

inline ColumnScales from(const ColumnScales& scales, size_t c) {
  return {scales.scale + c, scales.inverse + c, scales.count - c};
}

KERNEL_TARGET void add_errors(const FileFloat* w, const ColumnScales& scales, float* errors) {
  size_t c = 0;
  for (; c + kWidth <= scales.count; c += kWidth) {
    const Vector weight = load(w + c);
    const Vector rounded = round_int8_each(weight, load(scales.inverse + c));
    const Vector square = square_of_error_each(weight, rounded, load(scales.scale + c));
    store(errors + c, load(errors + c) + square);
  }
  kScalarKernels.add_errors(w + c, from(scales, c), errors + c);
}

KERNEL_TARGET void round_each(const FileFloat* w, std::span<const float> inverse, int8_t* q) {
  size_t c = 0;
  for (; c + kWidth <= inverse.size(); c += kWidth) {
    store_bytes(q + c, round_int8_each(load(w + c), load(inverse.data() + c)));
  }
  kScalarKernels.round_each(w + c, inverse.subspan(c), q + c);
}

KERNEL_TARGET void add_pair_errors(const FileFloat* a, const FileFloat* b,
                                   const ColumnScales& scales, float* errors) {
  size_t c = 0;
  for (; c + kWidth <= scales.count; c += kWidth) {
    const Vector first = load(a + c);
    const Vector second = load(b + c);
    const Vector scale = load(scales.scale + c);
    const VectorPair q = round_pair_each(first, second, load(scales.inverse + c));
    const Vector square =
        square_of_error_each(first, q.a, scale) + square_of_error_each(second, q.b, scale);
    store(errors + c, load(errors + c) + square);
  }
  kScalarKernels.add_pair_errors(a + c, b + c, from(scales, c), errors + c);
}

KERNEL_TARGET void round_pairs(const FileFloat* a, std::span<const float> inverse, size_t stride,
                               int8_t* q) {
  size_t c = 0;
  for (; c + kWidth <= inverse.size(); c += kWidth) {
    const VectorPair pair =
        round_pair_each(load(a + c), load(a + c + stride), load(inverse.data() + c));
    store_bytes(q + c, pair.a);
    store_bytes(q + c + stride, pair.b);
  }
  kScalarKernels.round_pairs(a + c, inverse.subspan(c), stride, q + c);
}

KERNEL_TARGET ValueLook look(std::span<const float> x, const Range& common, float* outside) {
  constexpr size_t kStep = 4 * kWidth;
  const ValueLook nothing;
  Vector low = set(nothing.low);
  Vector high = set(nothing.high);
  Vector zeros = set(0);  // a number that is not finite times 0 is NaN
  size_t count = 0;
  size_t i = 0;
  for (; i + kStep <= x.size(); i += kStep) {
    const float* const step = x.data() + i;
    // Each is the first of two, of which NaN loses.
    Vector least = set(nothing.low);
    Vector most = set(nothing.high);
    for (size_t at = 0; at < kStep; at += kWidth) {
      const Vector some = load(step + at);
      least = smaller(some, least);
      most = larger(some, most);
      zeros = zeros + some * set(0);
    }
    low = smaller(least, low);
    high = larger(most, high);
    if (!has_larger(set(common.low), least) && !has_larger(most, set(common.high))) continue;
    for (size_t at = 0; at < kStep; ++at) {
      if (step[at] < common.low || step[at] > common.high) outside[count++] = step[at];
    }
  }
  ValueLook found = kScalarKernels.look(x.subspan(i), common, outside ? outside + count : nullptr);
  found.outside += count;
  std::array<std::array<float, kWidth>, 3> lanes;
  store(lanes[0].data(), low);
  store(lanes[1].data(), high);
  store(lanes[2].data(), zeros);
  for (size_t lane = 0; lane < kWidth; ++lane) {
    found.low = elements::smaller(lanes[0][lane], found.low);
    found.high = elements::larger(lanes[1][lane], found.high);
    found.is_finite = found.is_finite && lanes[2][lane] == 0;
  }
  return {found.low + 0.0F, found.high + 0.0F, found.is_finite, found.outside};
}

// NOLINTEND(llvm-header-guard, google-build-using-namespace, bugprone-suspicious-include)
