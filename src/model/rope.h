// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <protozero/varint.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wattwise::model {

/// A protocol buffer message under construction: small owned pieces and spans of weights that stay
/// where they are. Its size is known before anything is written, so nested messages need no copy.
class Rope {
 public:
  uint64_t size() const { return size_; }

  void add_varint(uint32_t tag, uint64_t value) {
    add_key(tag, 0);
    add_raw_varint(value);
  }
  void add_text(uint32_t tag, std::string_view text) {
    add_key(tag, 2);
    add_raw_varint(text.size());
    add_raw(text);
  }
  void add_float(uint32_t tag, float value) {
    add_key(tag, 5);
    add_raw({reinterpret_cast<const char*>(&value), sizeof value});
  }
  /// `bytes` must stay alive until the rope is written. Few bytes are copied all the same, since
  /// each borrowed piece is a write of its own.
  void add_borrowed(uint32_t tag, std::span<const std::byte> bytes) {
    if (bytes.size() < kMinBorrowedBytes) {
      add_text(tag, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      return;
    }
    add_key(tag, 2);
    add_raw_varint(bytes.size());
    pieces_.push_back({{}, bytes});
    size_ += bytes.size();
  }
  void add_message(uint32_t tag, Rope message) {
    add_key(tag, 2);
    add_raw_varint(message.size());
    for (Piece& piece : message.pieces_) append(std::move(piece));
  }
  /// Bytes that are complete fields already.
  void add_raw(std::string_view fields) {
    if (pieces_.empty() || !pieces_.back().borrowed.empty()) pieces_.emplace_back();
    pieces_.back().owned.append(fields);
    size_ += fields.size();
  }

  /// Calls `sink` with every piece in order until one fails.
  template <typename Sink>
  auto write(const Sink& sink) const -> decltype(sink(std::span<const std::byte>())) {
    for (const Piece& piece : pieces_) {
      const auto bytes = piece.borrowed.empty() ? std::as_bytes(std::span<const char>(piece.owned))
                                                : piece.borrowed;
      if (auto done = sink(bytes); !done) return done;
    }
    return {};
  }

 private:
  static constexpr size_t kMinBorrowedBytes = 4096;

  struct Piece {
    std::string owned;
    std::span<const std::byte> borrowed;
  };

  void append(Piece piece) {
    if (piece.borrowed.empty()) {
      add_raw(piece.owned);
      return;
    }
    size_ += piece.borrowed.size();
    pieces_.push_back(std::move(piece));
  }
  void add_key(uint32_t tag, uint32_t wire_type) { add_raw_varint((tag << 3U) | wire_type); }
  void add_raw_varint(uint64_t value) {
    std::string bytes;
    protozero::write_varint(std::back_inserter(bytes), value);
    add_raw(bytes);
  }

  std::vector<Piece> pieces_;
  uint64_t size_ = 0;
};

}  // namespace wattwise::model
