// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "input/array_file.h"
#include "input/dataset.h"
#include "input/fit.h"
#include "input/labels.h"
#include "input/ports.h"
#include "input/raw_file.h"

namespace wattwise::input {
namespace {

/// What the first axis of an array is.
enum class FirstAxis {
  kOwn,      ///< the sample's: every sample has the whole array
  kBatch,    ///< samples, and the model's batch: a row keeps it
  kSamples,  ///< samples only: a row is without it
};

using Shape = std::vector<int64_t>;

bool fits(const Shape& shape, const Shape& wanted) {
  return std::equal(shape.begin(), shape.end(), wanted.begin(), wanted.end(),
                    [](int64_t size, int64_t want) { return want < 0 || size == want; });
}

/// Pictures of bytes, which a preprocessor brings into the port's shape.
FirstAxis picture_axis(const Shape& shape) {
  const auto is_channels = [](int64_t size) { return size == 1 || size == 3 || size == 4; };
  const bool one = shape.size() == 2 ||
                   (shape.size() == 3 && (is_channels(shape.front()) || is_channels(shape.back())));
  return one ? FirstAxis::kOwn : FirstAxis::kSamples;
}

std::optional<FirstAxis> first_axis(const Tensor& array, const PortInfo& port) {
  const Shape& shape = array.shape;
  const Shape& wanted = port.shape;
  const bool bytes = array.type == DataType::kUint8 && port.type != DataType::kUint8;
  if (bytes && image_layout(port) && shape.size() >= 2 && shape.size() <= 4) {
    return picture_axis(shape);
  }
  if (shape.size() == wanted.size() + 1 && fits({shape.begin() + 1, shape.end()}, wanted)) {
    return FirstAxis::kSamples;
  }
  // A free row of numbers is one sound rather than a batch of single numbers.
  const bool has_batch = wanted.size() > 1 ? wanted[0] <= 1 : wanted == Shape{1};
  if (has_batch && shape.size() == wanted.size() &&
      fits({shape.begin() + 1, shape.end()}, {wanted.begin() + 1, wanted.end()})) {
    return FirstAxis::kBatch;
  }
  return shape_fits(shape, port) ? std::optional(FirstAxis::kOwn) : std::nullopt;
}

struct NamedColumn {
  std::string name;
  Tensor array;
  FirstAxis axis;
  size_t rows() const {
    return axis == FirstAxis::kOwn ? 1 : static_cast<size_t>(array.shape.front());
  }
};

Tensor row_of(const NamedColumn& column, size_t index) {
  if (column.axis == FirstAxis::kOwn || column.rows() == 0) return column.array;
  if (column.axis == FirstAxis::kBatch && column.rows() == 1) return column.array;
  Tensor row = column.array;
  const size_t bytes = row.data.size() / column.rows();
  row.data = row.data.slice(index * bytes, bytes);
  if (column.axis == FirstAxis::kBatch) row.shape.front() = 1;
  if (column.axis == FirstAxis::kSamples) row.shape.erase(row.shape.begin());
  return row;
}

Error fits_nothing(const std::string& path, const std::string& name, const Tensor& array,
                   const std::vector<PortInfo>& ports) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("{}: the array {}{}{} is neither one sample nor many of an input; the model "
                      "takes {}",
                      path, name, name.empty() ? "" : " ", describe_tensor(array),
                      describe_ports(ports))};
}

/// The column of an array; one without a name goes to the only input that can take it.
Result<NamedColumn> make_column(const std::string& path, const std::vector<PortInfo>& ports,
                                const std::string& name, const Tensor& array) {
  const PortInfo* port = find_port(ports, name);
  std::optional<FirstAxis> axis;
  if (port) {
    axis = first_axis(array, *port);
  } else {
    for (const PortInfo& candidate : ports) {
      const auto fits = candidate.optional_input ? std::nullopt : first_axis(array, candidate);
      if (fits && axis) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("{}: the array {} fits several inputs: write an .npz with the "
                                 "inputs' names as keys; the model takes {}",
                                 path, describe_tensor(array), describe_ports(ports)));
      }
      if (fits) axis = fits;
    }
  }
  if (!axis) return fits_nothing(path, name, array, ports);
  return NamedColumn{name, array, *axis};
}

/// The arrays of the file, those of labels left out.
struct Table {
  std::vector<NamedColumn> columns;
  std::optional<Tensor> labels;
  size_t rows = 1;
};

Result<Table> read_table(const Env& env, const std::string& path,
                         const std::vector<PortInfo>& ports) {
  TensorMap arrays;
  if (WATTWISE_TRY(identify_file(env, path)) == FileKind::kArchive) {
    arrays = WATTWISE_TRY(read_npz(env, path));
  } else {
    arrays[""] = WATTWISE_TRY(read_npy(env, path));
  }
  Table table;
  if (const Tensor* labels = find_labels(arrays, ports)) table.labels = *labels;
  for (const auto& [name, array] : arrays) {
    if (&array == find_labels(arrays, ports)) continue;
    const bool single = arrays.size() == (table.labels ? 2U : 1U);
    const std::string key = single && !find_port(ports, name) ? "" : name;
    table.columns.push_back(WATTWISE_TRY(make_column(path, ports, key, array)));
    table.rows = table.columns.back().rows() == 1 ? table.rows : table.columns.back().rows();
  }
  for (const NamedColumn& column : table.columns) {
    if (column.rows() == 1 || column.rows() == table.rows) continue;
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{}: {} holds {} samples and another array {}: give every input as "
                             "many",
                             path, column.name, column.rows(), table.rows));
  }
  if (table.columns.empty() || table.rows == 0) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("{} holds no samples", path));
  }
  return table;
}

/// Labels of the samples in an array, or in a file beside whose name ends in "_labels".
Result<Labels> labels_of(const Env& env, const std::string& path, const Table& table) {
  if (table.labels) return Labels{WATTWISE_TRY(to_numbers(*table.labels)), {}};
  const std::string stem = join_path(parent_path(path), file_stem(path) + "_labels");
  for (const std::string_view extension : {".npy", ".txt"}) {
    const std::string beside = stem + std::string(extension);
    if (env.stat(beside)) return read_label_list(env, beside, table.rows);
  }
  return Labels{};
}

}  // namespace

Result<Dataset> open_sample_rows(const Env& env, const std::string& path,
                                 const std::vector<PortInfo>& ports) {
  Table table = WATTWISE_TRY(read_table(env, path, ports));
  Labels labels = WATTWISE_TRY(labels_of(env, path, table));
  const size_t rows = table.rows;
  if (labels.values.size() % rows != 0) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} holds {} labels for {} samples: give every sample as many", path,
                             labels.values.size(), rows));
  }
  const auto read = [path, columns = std::move(table.columns), rows,
                     values = std::move(labels.values)](size_t index) -> Result<RawSample> {
    RawSample sample;
    for (const NamedColumn& column : columns) {
      sample.inputs.values.emplace_back(column.name, row_of(column, index));
    }
    const auto each = static_cast<ptrdiff_t>(values.size() / rows);
    const auto begin = values.begin() + static_cast<ptrdiff_t>(index) * each;
    sample.labels.assign(begin, begin + each);
    sample.name = fmt::format("sample {} of {}", index + 1, path);
    return sample;
  };
  return Dataset(rows, read, std::move(labels.class_names));
}

}  // namespace wattwise::input
