// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "core/atomic_file.h"
#include "input/array_file.h"

// The format is described in NumPy's documentation, module numpy.lib.format: the magic string,
// two bytes of version, the header's length, and a Python dictionary literal as header.

namespace wattwise::input {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMaxRank = 64;

struct TypeRow {
  std::string_view code;  ///< NumPy's kind and item size
  DataType type;
  size_t item_bytes;
  size_t word_bytes;  ///< what byte order applies to: a half of a complex number
};

constexpr std::array<TypeRow, 14> kTypes = {{
    {"b1", DataType::kBool, 1, 1},
    {"u1", DataType::kUint8, 1, 1},
    {"i1", DataType::kInt8, 1, 1},
    {"u2", DataType::kUint16, 2, 2},
    {"i2", DataType::kInt16, 2, 2},
    {"u4", DataType::kUint32, 4, 4},
    {"i4", DataType::kInt32, 4, 4},
    {"u8", DataType::kUint64, 8, 8},
    {"i8", DataType::kInt64, 8, 8},
    {"f2", DataType::kFloat16, 2, 2},
    {"f4", DataType::kFloat, 4, 4},
    {"f8", DataType::kDouble, 8, 8},
    {"c8", DataType::kComplex64, 8, 4},
    {"c16", DataType::kComplex128, 16, 8},
}};

struct Header {
  const TypeRow* type = nullptr;
  bool big_endian = false;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

/// Reads the dictionary literal of a header. Every step answers whether it could go on.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : rest_(text) {}

  bool take(char c) {
    skip_blanks();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool at_end() {
    skip_blanks();
    return rest_.empty();
  }

  std::optional<std::string_view> text() {
    skip_blanks();
    if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"')) return std::nullopt;
    const size_t end = rest_.find(rest_.front(), 1);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view inside = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return inside;
  }

  std::optional<bool> truth() {
    if (take_word("True")) return true;
    if (take_word("False")) return false;
    return std::nullopt;
  }

  std::optional<std::vector<int64_t>> tuple() {
    if (!take('(')) return std::nullopt;
    std::vector<int64_t> numbers;
    while (!take(')')) {
      const auto number = natural_number();
      if (!number || numbers.size() == kMaxRank) return std::nullopt;
      numbers.push_back(*number);
      if (take(',')) continue;
      return take(')') ? std::optional(numbers) : std::nullopt;
    }
    return numbers;
  }

 private:
  void skip_blanks() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
  }

  bool take_word(std::string_view word) {
    skip_blanks();
    if (rest_.substr(0, word.size()) != word) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  std::optional<int64_t> natural_number() {
    skip_blanks();
    int64_t number = 0;
    const auto parsed = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    if (parsed.ec != std::errc() || number < 0) return std::nullopt;
    rest_.remove_prefix(static_cast<size_t>(parsed.ptr - rest_.data()));
    take_word("L");  // Python 2 wrote long integers so
    return number;
  }

  std::string_view rest_;
};

Error corrupt_array(const std::string& source, std::string_view what) {
  return {ErrorCode::kCorrupt,
          fmt::format("{} is not a valid .npy array: {}; write it again with numpy.save", source,
                      what)};
}

Result<void> set_type(Header& header, std::string_view descr, const std::string& source) {
  const bool has_order =
      !descr.empty() && std::string_view("<>|=").find(descr.front()) != std::string_view::npos;
  const std::string_view code = has_order ? descr.substr(1) : descr;
  const auto row = std::find_if(kTypes.begin(), kTypes.end(),
                                [&](const TypeRow& candidate) { return candidate.code == code; });
  if (row == kTypes.end()) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{} holds elements of NumPy type '{}', which no model input takes; "
                             "save plain numbers",
                             source, descr));
  }
  header.type = &*row;
  header.big_endian = has_order && descr.front() == '>' && row->word_bytes > 1;
  return {};
}

/// One `'key': value` pair into `header`.
Result<void> parse_entry(HeaderParser& parser, Header& header, const std::string& source) {
  const auto key = parser.text();
  if (!key || !parser.take(':')) return corrupt_array(source, "its header is not a dictionary");
  if (*key == "descr") {
    const auto descr = parser.text();
    if (descr) return set_type(header, *descr, source);
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{} holds a structured array; save plain numbers", source));
  }
  if (*key == "fortran_order") {
    const auto fortran = parser.truth();
    if (!fortran) return corrupt_array(source, "fortran_order is neither True nor False");
    header.fortran_order = *fortran;
    return {};
  }
  if (*key != "shape") return corrupt_array(source, "its header has an unknown key");
  auto shape = parser.tuple();
  if (!shape) return corrupt_array(source, "its shape is not a tuple of sizes");
  header.shape = std::move(*shape);
  return {};
}

Result<Header> parse_header(std::string_view text, const std::string& source) {
  HeaderParser parser(text);
  Header header;
  int entries = 0;
  if (!parser.take('{')) return corrupt_array(source, "its header is not a dictionary");
  while (!parser.take('}')) {
    if (++entries > 3) return corrupt_array(source, "its header has more than three keys");
    WATTWISE_TRY(parse_entry(parser, header, source));
    if (parser.take(',')) continue;
    if (!parser.take('}')) return corrupt_array(source, "its header is not a dictionary");
    break;
  }
  if (!parser.at_end()) return corrupt_array(source, "something follows its header's dictionary");
  if (entries != 3 || !header.type) return corrupt_array(source, "its header lacks a key");
  return header;
}

/// Where the header's text lies in the file.
struct Extent {
  size_t offset = 0;
  size_t length = 0;
};

Result<Extent> find_header(std::string_view bytes, const std::string& source) {
  if (bytes.substr(0, kMagic.size()) != kMagic)
    return corrupt_array(source, "the magic bytes are missing");
  if (bytes.size() < 12) return corrupt_array(source, "it ends within the header");
  const int major = static_cast<unsigned char>(bytes[6]);
  if (major < 1 || major > 3) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{} has .npy version {}; versions 1 to 3 are read", source, major));
  }
  Extent extent{major == 1 ? size_t{10} : size_t{12}, 0};
  for (size_t i = extent.offset; i-- > 8;) {
    extent.length = extent.length << 8 | static_cast<unsigned char>(bytes[i]);
  }
  if (extent.length > bytes.size() - extent.offset)
    return corrupt_array(source, "it ends within the header");
  return extent;
}

/// Bytes of the whole array, or nothing when they do not fit `limit`.
std::optional<size_t> array_bytes(const Header& header, size_t limit) {
  if (std::find(header.shape.begin(), header.shape.end(), 0) != header.shape.end()) return 0;
  size_t bytes = header.type->item_bytes;
  for (const int64_t dim : header.shape) {
    if (static_cast<uint64_t>(dim) > limit / bytes) return std::nullopt;
    bytes *= static_cast<size_t>(dim);
  }
  return bytes <= limit ? std::optional(bytes) : std::nullopt;
}

void reverse_words(std::vector<std::byte>& bytes, size_t word_bytes) {
  for (size_t i = 0; i + word_bytes <= bytes.size(); i += word_bytes) {
    std::reverse(bytes.begin() + static_cast<ptrdiff_t>(i),
                 bytes.begin() + static_cast<ptrdiff_t>(i + word_bytes));
  }
}

/// Column-major elements in row-major order.
std::vector<std::byte> transpose(const std::vector<std::byte>& from, const Header& header) {
  const size_t item = header.type->item_bytes;
  const size_t rank = header.shape.size();
  std::vector<size_t> stride(rank, item);
  for (size_t i = 1; i < rank; ++i) {
    stride[i] = stride[i - 1] * static_cast<size_t>(header.shape[i - 1]);
  }
  std::vector<std::byte> to(from.size());
  std::vector<int64_t> index(rank, 0);
  size_t source = 0;
  for (size_t target = 0; target < to.size(); target += item) {
    std::memcpy(&to[target], &from[source], item);
    for (size_t axis = rank; axis-- > 0;) {
      source += stride[axis];
      if (++index[axis] < header.shape[axis]) break;
      source -= stride[axis] * static_cast<size_t>(header.shape[axis]);
      index[axis] = 0;
    }
  }
  return to;
}

bool is_aligned(const Bytes& bytes, size_t alignment) {
  return reinterpret_cast<uintptr_t>(bytes.data()) % alignment == 0;
}

Bytes normalized(const Bytes& data, const Header& header) {
  const bool transposed = header.fortran_order && header.shape.size() > 1 && !data.empty();
  if (!header.big_endian && !transposed && is_aligned(data, header.type->word_bytes)) return data;
  std::vector<std::byte> copy(data.view().begin(), data.view().end());
  if (header.big_endian) reverse_words(copy, header.type->word_bytes);
  if (transposed) copy = transpose(copy, header);
  return Bytes::own(std::move(copy));
}

/// The whole preamble of a version 1 file; the data after it is aligned to 64 bytes.
std::string make_header(const TypeRow& type, const std::vector<int64_t>& shape) {
  std::string dims = fmt::format("{}", fmt::join(shape, ", "));
  if (shape.size() == 1) dims += ",";
  const char order = type.item_bytes == 1 ? '|' : '<';
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                 order, type.code, dims);
  constexpr size_t kPreamble = 10;
  const size_t unpadded = kPreamble + text.size() + 1;
  text.append((64 - unpadded % 64) % 64, ' ').push_back('\n');
  std::string header(kMagic);
  header +=
      {'\x01', '\x00', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  return header + text;
}

}  // namespace

Result<Tensor> parse_npy(const Bytes& bytes, const std::string& source) {
  const std::string_view text = bytes.as_text();
  const Extent extent = WATTWISE_TRY(find_header(text, source));
  Header header = WATTWISE_TRY(parse_header(text.substr(extent.offset, extent.length), source));
  const size_t start = extent.offset + extent.length;
  const auto size = array_bytes(header, bytes.size() - start);
  if (!size) {
    return corrupt_array(source, fmt::format("its shape [{}] needs more data than the file holds",
                                             fmt::join(header.shape, ", ")));
  }
  Tensor tensor;
  tensor.type = header.type->type;
  tensor.data = normalized(bytes.slice(start, *size), header);
  tensor.shape = std::move(header.shape);
  return tensor;
}

Result<Tensor> read_npy(const Env& env, const std::string& path) {
  return parse_npy(WATTWISE_TRY(env.map_file(path)), path);
}

Result<std::string> format_npy(const std::string& path, const Tensor& tensor) {
  const auto row = std::find_if(kTypes.begin(), kTypes.end(),
                                [&](const TypeRow& type) { return type.type == tensor.type; });
  if (row == kTypes.end()) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("cannot write {}: .npy has no elements of type {}; cast them first",
                             path, data_type_name(tensor.type)));
  }
  return make_header(*row, tensor.shape) + std::string(tensor.data.as_text());
}

Result<void> write_npy(Env& env, const std::string& path, const Tensor& tensor) {
  const std::string content = WATTWISE_TRY(format_npy(path, tensor));
  AtomicFile file = WATTWISE_TRY(AtomicFile::create(env, path));
  WATTWISE_TRY(file.append(std::as_bytes(std::span(content))));
  return file.commit();
}

}  // namespace wattwise::input
