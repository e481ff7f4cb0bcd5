// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include "model/graph.h"

namespace wattwise::model {

/// Finds bytes that a file keeps outside itself. Throws Damage.
using ExternalData =
    std::function<Bytes(const std::string& location, uint64_t offset, std::optional<uint64_t>)>;

/// Thrown inside the reader only, caught by load() and parse().
struct Damage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Bounds how much memory a file can claim. Everything of a graph takes at least four bytes in a
/// file that means something, but up to a few hundred in memory, so that a file made of empty
/// messages would grow a hundredfold.
class ItemBudget {
 public:
  explicit ItemBudget(uint64_t file_bytes) : left_(file_bytes / 4 + 1024) {
    if (left_ > kMaxItems) left_ = kMaxItems;
  }
  /// Counts one node, attribute, value, dimension or constant. Throws Damage when there are more
  /// than the file can sensibly hold.
  void take() {
    if (left_ == 0) throw Damage("it claims more parts than a file of its size can hold");
    --left_;
  }

 private:
  static constexpr uint64_t kMaxItems = 8'000'000;
  uint64_t left_;
};

/// Takes the bytes of a ModelProto apart. Throws Damage or protozero's exceptions.
Model read_model(const Bytes& content, const ExternalData& external);

/// product(shape). Throws Damage when a size is negative or the product overflows.
uint64_t checked_elements(const std::vector<int64_t>& shape);

/// Bytes that a tensor of this type and shape needs; absent for types without a fixed size.
/// Throws Damage as checked_elements() does.
std::optional<uint64_t> expected_bytes(DataType type, const std::vector<int64_t>& shape);

/// Throws Damage for a constant that does not hold what its type and shape need; one of a type that
/// is not known here must hold something.
void check_size(const Constant& constant);

}  // namespace wattwise::model
