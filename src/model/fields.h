// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <protozero/pbf_reader.hpp>
#include <string>
#include <vector>

namespace wattwise::model {

using Reader = protozero::pbf_reader;
using WireType = protozero::pbf_wire_type;

/// Calls `handle(reader)` at each field; it consumes the field and returns true, or returns false
/// for a field it does not know, whose bytes are then appended to `unknown`.
template <typename Handle>
void for_each_field(Reader reader, std::string& unknown, const Handle& handle) {
  while (true) {
    const char* start = reader.data().data();
    if (!reader.next()) return;
    if (handle(reader)) continue;
    reader.skip();
    unknown.append(start, reader.data().data());
  }
}

inline bool is_varint(const Reader& r) { return r.has_wire_type(WireType::varint); }
inline bool is_bytes(const Reader& r) { return r.has_wire_type(WireType::length_delimited); }
inline bool is_fixed32(const Reader& r) { return r.has_wire_type(WireType::fixed32); }
inline bool is_fixed64(const Reader& r) { return r.has_wire_type(WireType::fixed64); }

/// A text field into `to`; false if the wire type is another.
inline bool take(Reader& r, std::string& to) {
  if (!is_bytes(r)) return false;
  to = r.get_string();
  return true;
}

inline bool take(Reader& r, int64_t& to) {
  if (!is_varint(r)) return false;
  to = r.get_int64();
  return true;
}

/// A repeated integer field, packed or not.
template <typename T>
bool take_integers(Reader& r, std::vector<T>& to) {
  if (is_varint(r)) {
    to.push_back(static_cast<T>(r.get_int64()));
    return true;
  }
  if (!is_bytes(r)) return false;
  for (const int64_t value : r.get_packed_int64()) to.push_back(static_cast<T>(value));
  return true;
}

inline bool take_floats(Reader& r, std::vector<float>& to) {
  if (is_fixed32(r)) {
    to.push_back(r.get_float());
    return true;
  }
  if (!is_bytes(r)) return false;
  for (const float value : r.get_packed_float()) to.push_back(value);
  return true;
}

inline bool take_doubles(Reader& r, std::vector<double>& to) {
  if (is_fixed64(r)) {
    to.push_back(r.get_double());
    return true;
  }
  if (!is_bytes(r)) return false;
  for (const double value : r.get_packed_double()) to.push_back(value);
  return true;
}

}  // namespace wattwise::model
