// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "optimize/passes/passes.h"

namespace wattwise::optimize {
namespace {

constexpr std::array kPasses = {
    PassRow{"copy_reshaped_axes", "a Reshape that asks for its input's own sizes copies them", 0,
            Shapes::kKept, copy_reshaped_axes},
    PassRow{"fold_shapes", "shape arithmetic that no input can change is done once", 0,
            Shapes::kStale, fold_shapes},
    PassRow{"fold_constants", "what follows from constants alone is computed once", 0,
            Shapes::kStale, fold_constants},
    PassRow{"resolve_branches",
            "an If that always takes one branch, a Loop that runs once, are "
            "taken apart",
            0, Shapes::kStale, resolve_branches},
    PassRow{"lift_constants", "Constant nodes become initializers", 0, Shapes::kKept,
            lift_constants},
    PassRow{"remove_identities", "nodes that hand on their input are taken out", 0, Shapes::kKept,
            remove_identities},
    PassRow{"remove_neutral_operands", "times 1, plus 0 and their kin are taken out", 0,
            Shapes::kKept, remove_neutral_operands},
    PassRow{"remove_noop_casts", "casts to the own type, or through a wider one, are taken out", 0,
            Shapes::kKept, remove_noop_casts},
    PassRow{"remove_noop_copies", "Pad, Slice, Expand and others that move nothing are taken out",
            0, Shapes::kKept, remove_noop_copies},
    PassRow{"merge_reductions", "reductions keep an axis that is put back, or reduce nothing", 0,
            Shapes::kKept, merge_reductions},
    PassRow{"keep_gathered_axis", "an index that is picked with its axis put back is a slice", 0,
            Shapes::kKept, keep_gathered_axis},
    PassRow{"merge_reshapes", "reshapes in a row become one, or none", 0, Shapes::kKept,
            merge_reshapes},
    PassRow{"merge_transposes", "transposes in a row become one, or none", 0, Shapes::kKept,
            merge_transposes},
    PassRow{"merge_split_parts", "parts put together again are the whole", 0, Shapes::kKept,
            merge_split_parts},
    PassRow{"fuse_clip", "Relu, Clip, Min and Max in a row become one Clip or Relu", 0,
            Shapes::kKept, fuse_clip},
    PassRow{"recognize_hard_sigmoid", "a clipped straight line becomes HardSigmoid", 1e-5,
            Shapes::kKept, recognize_hard_sigmoid},
    PassRow{"recognize_gelu", "GELU is spelled as the runtime knows it", 1e-5, Shapes::kKept,
            recognize_gelu},
    PassRow{"recognize_tanh_gelu", "GELU by a tangent is spelled as the runtime knows it", 1e-5,
            Shapes::kKept, recognize_tanh_gelu},
    PassRow{"recognize_layer_norm", "layer and RMS normalization are spelled as the runtime knows",
            1e-5, Shapes::kKept, recognize_layer_norm},
    PassRow{"keep_sums_apart", "sums before a layer normalization stay kernels of their own", 0,
            Shapes::kKept, keep_sums_apart},
    PassRow{"spell_out_softplus", "Softplus and Mish are computed by faster operators", 1e-5,
            Shapes::kKept, spell_out_softplus},
    PassRow{"spell_out_squares", "Pow by 2 becomes a product", 0, Shapes::kKept, spell_out_squares},
    PassRow{"merge_affine_chains", "multiplications and additions of constants in a row are merged",
            1e-5, Shapes::kKept, merge_affine_chains},
    PassRow{"fuse_affine_into_weights",
            "what scales and shifts by channel moves into the weights next to it", 1e-5,
            Shapes::kKept, fuse_affine_into_weights},
    PassRow{"keep_blocked_layout",
            "what scales and shifts between convolutions stays in the provider's layout", 1e-5,
            Shapes::kKept, keep_blocked_layout},
    PassRow{"merge_duplicate_constants", "equal initializers are stored once", 0, Shapes::kKept,
            merge_duplicate_constants},
    PassRow{"share_tied_weights", "a matrix that is another one transposed is not stored", 0,
            Shapes::kKept, share_tied_weights},
    PassRow{"merge_equal_nodes", "what is computed twice is computed once", 0, Shapes::kKept,
            merge_equal_nodes},
    PassRow{"push_transposes", "Transposes move to where they cancel or merge", 1e-5,
            Shapes::kStale, push_transposes},
    PassRow{"read_channels_last",
            "the first convolution reads an image with channels last as it lies", 1e-5,
            Shapes::kKept, read_channels_last},
    PassRow{"make_convolutions_2d", "convolutions over lines become ones over planes of one row",
            1e-5, Shapes::kKept, make_convolutions_2d},
    PassRow{"split_convolutions", "channels that are taken apart are computed apart", 1e-5,
            Shapes::kKept, split_convolutions},
    PassRow{"pad_channels", "channels of convolutions fill whole blocks of the provider's layout",
            1e-5, Shapes::kStale, pad_channels},
    PassRow{"spell_as_gemm", "a product, its bias and a Softmax behind it begin with one Gemm",
            1e-5, Shapes::kKept, spell_as_gemm},
    PassRow{"remove_unused", "nodes and constants that nothing reads are removed", 0, Shapes::kKept,
            remove_unused},
    // After what is not used is gone: it would count as reading.
    PassRow{"put_sequence_first", "attention with the batch as second axis needs fewer Transposes",
            1e-5, Shapes::kStale, put_sequence_first},
};

}  // namespace

std::span<const PassRow> pass_table() { return kPasses; }

}  // namespace wattwise::optimize
