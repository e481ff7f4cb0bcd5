// SPDX-License-Identifier: Apache-2.0
// The kernels of 4-bit blocks in vectors. Included once by each file of an instruction set, after
// vector_body.h.
// NOLINTBEGIN(llvm-header-guard, bugprone-suspicious-include)

/// Scales and zeros of the columns from `c` on, kWidth of them.
KERNEL_TARGET inline void fit_int4(const TileView& tile, size_t c, Int4Tile& out) {
  Vector low = set(0);
  Vector high = set(0);
  for (size_t i = 0; i < tile.rows; ++i) {
    const Vector x = load(tile.first + i * tile.stride + c);
    low = smaller(x, low);
    high = larger(x, high);
  }
  store(out.scale.data() + c, (high - low) / set(kInt4Max));
  store(out.zero.data() + c, low);
  for (size_t lane = c; lane < c + kWidth; ++lane) {
    const bool flat = !(out.scale[lane] >= kSmallestNormal);
    if (flat) out.scale[lane] = 1;
    const float inverse = 1 / out.scale[lane];
    out.zero[lane] = flat ? 0 : limit_int4(round_small(-out.zero[lane] * inverse));
  }
}

/// Rows that a transposition takes at once: two to a byte.
constexpr size_t kRowsAtOnce = 32;
using ByteRows = std::array<std::array<uint8_t, kTileColumns>, kRowsAtOnce / 2>;

/// Rows of a tile, of its columns from `column` on.
struct RowGroup {
  size_t first;
  size_t count;
  size_t column = 0;
};

/// What the rows become, two 4-bit integers a byte.
KERNEL_TARGET inline void round_rows(const TileView& tile, const RowGroup& group, Int4Tile& out,
                                     ByteRows& bytes) {
  const size_t c = group.column;
  const Vector scale = load(out.scale.data() + c);
  const Vector inverse = set(1) / scale;
  const Vector zero = load(out.zero.data() + c);
  Vector low_nibbles = set(0);
  for (size_t i = 0; i < group.count; ++i) {
    const Vector x = load(tile.first + (group.first + i) * tile.stride + c);
    const Vector q = smaller(larger(round_small_each(x * inverse) + zero, set(0)), set(kInt4Max));
    if (i % 2 == 1) store_bytes(bytes[i / 2].data() + c, low_nibbles + q * set(16));
    low_nibbles = q;
  }
  if (group.count % 2 == 1) store_bytes(bytes[group.count / 2].data() + c, low_nibbles);
}

using Bytes16 = uint8_t __attribute__((vector_size(16)));

KERNEL_TARGET inline Bytes16 interleave_low(Bytes16 a, Bytes16 b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

KERNEL_TARGET inline Bytes16 interleave_high(Bytes16 a, Bytes16 b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                 31);
}

/// Sixteen columns of bytes from `c` on, as rows: four perfect shuffles.
KERNEL_TARGET inline void transpose(const ByteRows& bytes, size_t c, size_t at, Int4Tile& out) {
  Bytes16 rows[16];
  for (size_t i = 0; i < 16; ++i) std::memcpy(&rows[i], bytes[i].data() + c, 16);
  for (int round = 0; round < 4; ++round) {
    Bytes16 shuffled[16];
    for (size_t i = 0; i < 8; ++i) {
      shuffled[2 * i] = interleave_low(rows[i], rows[i + 8]);
      shuffled[2 * i + 1] = interleave_high(rows[i], rows[i + 8]);
    }
    std::memcpy(rows, shuffled, sizeof rows);
  }
  for (size_t i = 0; i < 16; ++i) std::memcpy(out.packed[c + i].data() + at, &rows[i], 16);
}

KERNEL_TARGET void round_int4(const TileView& tile, Int4Tile& out) {
  const size_t whole = tile.columns - tile.columns % 16;  // columns that are transposed together
  for (size_t c = 0; c < whole; c += kWidth) fit_int4(tile, c, out);
  for (size_t first = 0; first < tile.rows; first += kRowsAtOnce) {
    RowGroup group{first, std::min(kRowsAtOnce, tile.rows - first)};
    ByteRows bytes;
    if (group.count < kRowsAtOnce) bytes = {};
    for (; group.column < whole; group.column += kWidth) round_rows(tile, group, out, bytes);
    for (size_t c = 0; c < whole; c += 16) transpose(bytes, c, first / 2, out);
  }
  for (size_t c = whole; c < tile.columns; ++c) round_block(tile, c, out);
}

KERNEL_TARGET inline Vector round_signed_int4_each(Vector weight, Vector inverse) {
  return smaller(larger(round_small_each(weight * inverse), set(kInt4Low)), set(kInt4High));
}

KERNEL_TARGET void paired_errors(const TileView& tile, const PairedGrid& grid, float* errors) {
  size_t c = 0;
  for (; c + kWidth <= tile.columns; c += kWidth) {
    const Vector step = load(grid.step + c);
    const Vector inverse = set(1) / step;
    const Vector limit = load(grid.limit + c);
    Vector sum = set(0);
    for (size_t i = 0; i < tile.rows; i += 2) {
      const FileFloat* rows = tile.first + i * tile.stride + c;
      const Vector a = load(rows);
      const Vector b = load(rows + tile.stride);
      const Vector qa = round_signed_int4_each(a, inverse);
      const Vector qb = round_signed_int4_each(b, inverse);
      const Vector half = set(0.5F) * larger(magnitude(qa + qb) - limit, set(0));
      Vector of_a = square_of_error_each(a, qa - with_sign_of(half, qa), step);
      Vector of_b = square_of_error_each(b, qb - with_sign_of(half, qb), step);
      if (grid.importance) {
        of_a = set(grid.importance[i]) * of_a;
        of_b = set(grid.importance[i + 1]) * of_b;
      }
      sum = sum + (of_a + of_b);
    }
    store(errors + c, sum);
  }
  for (; c < tile.columns; ++c) errors[c] = paired_error(tile, grid, c);
}

KERNEL_TARGET float fit_error(const float* w, size_t count, const Int4Fit& fit) {
  const float inverse = 1 / fit.step;
  Vector sums[kSumLanes / kWidth];
  for (Vector& sum : sums) sum = set(0);
  size_t i = 0;
  for (; i + kSumLanes <= count; i += kSumLanes) {
    for (size_t v = 0; v < kSumLanes / kWidth; ++v) {
      const Vector weight = load(w + i + v * kWidth);
      const Vector rounded = round_small_each(weight * set(inverse)) + set(fit.zero);
      const Vector q = smaller(larger(rounded, set(0)), set(kInt4Max)) - set(fit.zero);
      sums[v] = sums[v] + square_of_error_each(weight, q, set(fit.step));
    }
  }
  float total = sum_of(sums);
  for (; i < count; ++i) {
    total += square_of_error(w[i], round_fit(w[i], fit, inverse) - fit.zero, fit.step);
  }
  return total;
}

/// Everything that this file and vector_body.h define.
constexpr RoundingKernels vector_kernels(const char* name, bool (*is_runnable)()) {
  return {name,        is_runnable, largest,    raise_largest, raise_largest_sum,
          round_error, round,       add_errors, round_each,    add_pair_errors,
          round_pairs, loss,        add_losses, round_int4,    paired_errors,
          fit_error,   look};
}

// NOLINTEND(llvm-header-guard, bugprone-suspicious-include)
