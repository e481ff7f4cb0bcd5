// SPDX-License-Identifier: Apache-2.0
#include "core/mapped_pieces.h"

#include <algorithm>

#include "core/hash.h"

namespace wattwise {

Result<void> visit_pieces(const Env& env, const Bytes& mapped,
                          const std::function<Result<void>(std::span<const std::byte>)>& visit) {
  constexpr size_t kPieceBytes = size_t{16} << 20;
  for (size_t at = 0; at < mapped.size(); at += kPieceBytes) {
    const Bytes piece = mapped.slice(at, std::min(kPieceBytes, mapped.size() - at));
    WATTWISE_TRY(visit(piece.view()));
    env.release_pages(piece);
  }
  return {};
}

std::string hash_of_mapped(const Env& env, const Bytes& mapped) {
  Hash hash;
  [[maybe_unused]] const auto never_fails =
      visit_pieces(env, mapped, [&](std::span<const std::byte> piece) -> Result<void> {
        hash.add(piece);
        return {};
      });
  return hash.digits();
}

}  // namespace wattwise
