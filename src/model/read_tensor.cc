// SPDX-License-Identifier: Apache-2.0
#include "model/read_tensor.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "model/quote.h"
#include "model/wire.h"

namespace wattwise::model {
namespace {

constexpr int64_t kInsideFile = 0;
constexpr int64_t kExternalFile = 1;

/// What decides how the other fields of a TensorProto are to be read.
struct Heading {
  DataType type = DataType::kUndefined;
  int64_t location = kInsideFile;
};

Heading read_heading(Reader message) {
  Heading heading;
  while (message.next()) {
    if (message.tag() == wire::TensorField::kDataType && is_varint(message)) {
      heading.type = static_cast<DataType>(message.get_int32());
    } else if (message.tag() == wire::TensorField::kDataLocation && is_varint(message)) {
      heading.location = message.get_int64();
    } else {
      message.skip();
    }
  }
  return heading;
}

/// The field other than raw_data that holds elements of this type; 0 if there is none.
uint32_t typed_field(DataType type) {
  switch (type) {
    case DataType::kFloat:
    case DataType::kComplex64:
      return wire::TensorField::kFloatData;
    case DataType::kDouble:
    case DataType::kComplex128:
      return wire::TensorField::kDoubleData;
    case DataType::kInt64:
      return wire::TensorField::kInt64Data;
    case DataType::kUint32:
    case DataType::kUint64:
      return wire::TensorField::kUint64Data;
    case DataType::kString:
      return wire::TensorField::kStringData;
    default:
      // One int32 for each element of 8, 16 or 32 bits, or for two elements of 4 bits.
      return data_type_bits(type) ? uint32_t{wire::TensorField::kInt32Data} : 0U;
  }
}

/// Elements of a typed field in raw layout: a view of the file as long as they lie in one piece.
class Elements {
 public:
  void add_view(Bytes piece) {
    if (owned_.empty() && view_.empty()) {
      view_ = std::move(piece);
      return;
    }
    own();
    owned_.append(piece.as_text());
  }
  template <typename T>
  void add(T value) {
    own();
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    owned_.append(bytes, sizeof value);
  }
  /// The low bytes of an integer.
  void add_integer(uint64_t value, size_t bytes) {
    own();
    for (size_t i = 0; i < bytes; ++i) owned_ += static_cast<char>(value >> (8 * i));
  }
  Bytes take() && { return owned_.empty() ? std::move(view_) : Bytes::own(std::move(owned_)); }

 private:
  void own() {
    if (view_.empty()) return;
    owned_.assign(view_.as_text());
    view_ = {};
  }
  Bytes view_;
  std::string owned_;
};

Bytes view_in(const Bytes& file, protozero::data_view view) {
  const auto* begin = reinterpret_cast<const std::byte*>(view.data());
  return file.slice(static_cast<size_t>(begin - file.data()), view.size());
}

std::pair<std::string, std::string> read_pair(Reader message) {
  std::pair<std::string, std::string> pair;
  std::string unknown;
  for_each_field(message, unknown, [&](Reader& r) {
    if (r.tag() == wire::PairField::kFirst) return take(r, pair.first);
    return r.tag() == wire::PairField::kSecond && take(r, pair.second);
  });
  return pair;
}

/// Collects the elements of one TensorProto.
class TensorReader {
 public:
  TensorReader(Heading heading, const TensorSource& source)
      : heading_(heading), source_(source), field_(typed_field(heading.type)) {}

  bool take_field(Reader& r, Constant& constant) {
    if (r.tag() == wire::TensorField::kRawData && is_bytes(r) &&
        heading_.type != DataType::kString) {
      raw_ = view_in(source_.file, r.get_view());
      return true;
    }
    if (r.tag() == wire::TensorField::kExternalData && is_bytes(r) &&
        heading_.location == kExternalFile) {
      entries_.push_back(read_pair(r.get_message()));
      return true;
    }
    if (field_ == 0 || r.tag() != field_) return false;
    if (field_ == wire::TensorField::kStringData) return take_string(r, constant);
    if (field_ == wire::TensorField::kFloatData) return take_floats(r, is_fixed32(r));
    if (field_ == wire::TensorField::kDoubleData) return take_floats(r, is_fixed64(r));
    return take_varints(r);
  }

  Bytes finish(const Constant& constant) && {
    if (heading_.location == kExternalFile) return external_bytes(constant);
    return raw_.empty() ? std::move(elements_).take() : std::move(raw_);
  }

 private:
  static bool take_string(Reader& r, Constant& constant) {
    if (!is_bytes(r)) return false;
    constant.strings.push_back(r.get_string());
    return true;
  }

  /// Fixed-width elements, one alone or packed: the bytes of the file are the bytes in memory.
  bool take_floats(Reader& r, bool alone) {
    if (alone && is_fixed32(r)) {
      elements_.add(r.get_float());
      return true;
    }
    if (alone) {
      elements_.add(r.get_double());
      return true;
    }
    if (!is_bytes(r)) return false;
    elements_.add_view(view_in(source_.file, r.get_view()));
    return true;
  }

  bool take_varints(Reader& r) {
    const auto bits = static_cast<size_t>(data_type_bits(heading_.type).value_or(8));
    const size_t bytes = std::max<size_t>(1, bits / 8);
    if (is_varint(r)) {
      elements_.add_integer(r.get_uint64(), bytes);
      return true;
    }
    if (!is_bytes(r)) return false;
    for (const uint64_t value : r.get_packed_uint64()) elements_.add_integer(value, bytes);
    return true;
  }

  static uint64_t parse_number(const std::string& text, const std::string& tensor) {
    uint64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code == std::errc() && end == text.data() + text.size()) return value;
    throw Damage(fmt::format("tensor {} has the external position {}, which is no number",
                             quoted(tensor), quoted(text)));
  }

  Bytes external_bytes(const Constant& constant) const {
    std::string location;
    uint64_t offset = 0;
    auto length = expected_bytes(constant.type, constant.shape);  // where the entry is left out
    for (const auto& [key, value] : entries_) {
      if (key == "location") location = value;
      if (key == "offset") offset = parse_number(value, constant.name);
      if (key == "length") length = parse_number(value, constant.name);
    }
    return source_.external(location, offset, length);
  }

  Heading heading_;
  const TensorSource& source_;
  uint32_t field_;
  Bytes raw_;
  Elements elements_;
  std::vector<std::pair<std::string, std::string>> entries_;
};

}  // namespace

uint64_t checked_elements(const std::vector<int64_t>& shape) {
  int64_t elements = 1;
  bool is_empty = false;
  for (const int64_t dim : shape) {
    if (dim < 0) throw Damage(fmt::format("a shape holds the size {}", dim));
    is_empty = is_empty || dim == 0;
    if (dim > 0 && __builtin_mul_overflow(elements, dim, &elements)) {
      throw Damage("a shape has more elements than can be counted");
    }
  }
  return is_empty ? 0 : static_cast<uint64_t>(elements);
}

std::optional<uint64_t> expected_bytes(DataType type, const std::vector<int64_t>& shape) {
  const auto bits = data_type_bits(type);
  if (!bits) return std::nullopt;
  uint64_t total_bits = 0;
  if (__builtin_mul_overflow(checked_elements(shape), static_cast<uint64_t>(*bits), &total_bits)) {
    throw Damage("a shape has more elements than can be stored");
  }
  return total_bits / 8 + (total_bits % 8 != 0 ? 1 : 0);
}

void check_size(const Constant& constant) {
  const uint64_t elements = checked_elements(constant.shape);
  if (constant.type == DataType::kString) {
    if (constant.strings.size() == elements) return;
    throw Damage(
        fmt::format("it holds {} strings, its shape needs {}", constant.strings.size(), elements));
  }
  const auto wanted = expected_bytes(constant.type, constant.shape);
  if (wanted && constant.data.size() != *wanted) {
    throw Damage(fmt::format("it holds {} bytes, its type and shape need {}", constant.data.size(),
                             *wanted));
  }
  // Of a type that is not known here, elements have a size still.
  if (!wanted && constant.type != DataType::kUndefined && elements > 0 && constant.data.empty()) {
    throw Damage(fmt::format("it holds 0 bytes, its shape needs {} elements of {}", elements,
                             data_type_name(constant.type)));
  }
}

Constant read_tensor(Reader message, const TensorSource& source) {
  source.budget.take();
  Constant constant;
  const Heading heading = read_heading(message);
  constant.type = heading.type;
  TensorReader elements(heading, source);
  for_each_field(message, constant.unknown, [&](Reader& r) {
    switch (r.tag()) {
      case wire::TensorField::kDims:
        return take_integers(r, constant.shape);
      case wire::TensorField::kDataType:
      case wire::TensorField::kDataLocation:
        if (!is_varint(r)) return false;
        r.skip();
        return true;
      case wire::TensorField::kName:
        return take(r, constant.name);
      case wire::TensorField::kDoc:
        return take(r, constant.doc);
      default:
        return elements.take_field(r, constant);
    }
  });
  if (heading.location != kInsideFile && heading.location != kExternalFile) {
    throw Damage(fmt::format("tensor {} keeps its data in an unknown place ({})",
                             quoted(constant.name), heading.location));
  }
  constant.data = std::move(elements).finish(constant);
  try {
    check_size(constant);
  } catch (const Damage& damage) {
    throw Damage(fmt::format("tensor {}: {}", quoted(constant.name), damage.what()));
  }
  return constant;
}

}  // namespace wattwise::model
