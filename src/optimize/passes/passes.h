// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "optimize/optimize.h"

// One function per pass, each in the file of its name.
namespace wattwise::optimize {

Result<PassOutcome> fuse_affine_into_weights(model::Model& model, const PassContext& context);
Result<PassOutcome> fuse_clip(model::Model& model, const PassContext& context);
Result<PassOutcome> fold_constants(model::Model& model, const PassContext& context);
Result<PassOutcome> fold_shapes(model::Model& model, const PassContext& context);
Result<PassOutcome> lift_constants(model::Model& model, const PassContext& context);
Result<PassOutcome> merge_equal_nodes(model::Model& model, const PassContext& context);
Result<PassOutcome> merge_duplicate_constants(model::Model& model, const PassContext& context);
Result<PassOutcome> pad_channels(model::Model& model, const PassContext& context);
Result<PassOutcome> merge_affine_chains(model::Model& model, const PassContext& context);
Result<PassOutcome> keep_blocked_layout(model::Model& model, const PassContext& context);
Result<PassOutcome> keep_sums_apart(model::Model& model, const PassContext& context);
Result<PassOutcome> keep_gathered_axis(model::Model& model, const PassContext& context);
Result<PassOutcome> make_convolutions_2d(model::Model& model, const PassContext& context);
Result<PassOutcome> copy_reshaped_axes(model::Model& model, const PassContext& context);
Result<PassOutcome> merge_reductions(model::Model& model, const PassContext& context);
Result<PassOutcome> recognize_gelu(model::Model& model, const PassContext& context);
Result<PassOutcome> recognize_hard_sigmoid(model::Model& model, const PassContext& context);
Result<PassOutcome> recognize_tanh_gelu(model::Model& model, const PassContext& context);
Result<PassOutcome> recognize_layer_norm(model::Model& model, const PassContext& context);
Result<PassOutcome> merge_reshapes(model::Model& model, const PassContext& context);
Result<PassOutcome> merge_split_parts(model::Model& model, const PassContext& context);
Result<PassOutcome> merge_transposes(model::Model& model, const PassContext& context);
Result<PassOutcome> push_transposes(model::Model& model, const PassContext& context);
Result<PassOutcome> read_channels_last(model::Model& model, const PassContext& context);
Result<PassOutcome> remove_identities(model::Model& model, const PassContext& context);
Result<PassOutcome> remove_neutral_operands(model::Model& model, const PassContext& context);
Result<PassOutcome> remove_noop_casts(model::Model& model, const PassContext& context);
Result<PassOutcome> remove_noop_copies(model::Model& model, const PassContext& context);
Result<PassOutcome> remove_unused(model::Model& model, const PassContext& context);
Result<PassOutcome> put_sequence_first(model::Model& model, const PassContext& context);
Result<PassOutcome> split_convolutions(model::Model& model, const PassContext& context);
Result<PassOutcome> spell_as_gemm(model::Model& model, const PassContext& context);
Result<PassOutcome> spell_out_squares(model::Model& model, const PassContext& context);
Result<PassOutcome> spell_out_softplus(model::Model& model, const PassContext& context);
Result<PassOutcome> resolve_branches(model::Model& model, const PassContext& context);
Result<PassOutcome> share_tied_weights(model::Model& model, const PassContext& context);

}  // namespace wattwise::optimize
