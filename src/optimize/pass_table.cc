// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "optimize/passes/passes.h"

namespace wattwise::optimize {
namespace {

constexpr std::array kPasses = {
    PassRow{"lift_constants", "Constant nodes become initializers", 0, lift_constants},
    PassRow{"remove_identities", "Identity and inference-time Dropout are taken out", 0,
            remove_identities},
    PassRow{"merge_duplicate_constants", "equal initializers are stored once", 0,
            merge_duplicate_constants},
    PassRow{"pad_channels", "channels of convolutions fill whole blocks of the provider's layout",
            1e-5, pad_channels},
    PassRow{"remove_unused", "nodes and constants that nothing reads are removed", 0,
            remove_unused},
};

}  // namespace

std::span<const PassRow> pass_table() { return kPasses; }

}  // namespace wattwise::optimize
