// SPDX-License-Identifier: Apache-2.0
#include "sample_data.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "callbacks.h"

namespace nb = nanobind;

namespace wattwise::python {
namespace {

/// The next (inputs, labels) of an iterator; absent at its end.
std::optional<Sample> next_sample(const nb::object& iterator) {
  const nb::object item = nb::steal(PyIter_Next(iterator.ptr()));
  if (item.is_valid()) {
    return Sample{to_inputs(item[0]), nb::cast<std::vector<double>>(item[1])};
  }
  if (PyErr_Occurred() != nullptr) throw nb::python_error();
  return std::nullopt;
}

SampleStream stream_of(const Held& iterator) {
  return [iterator]() -> Result<std::optional<Sample>> {
    std::optional<Sample> sample;
    if (Callbacks::guard([&] { sample = next_sample(*iterator); })) return sample;
    return callback_failed();
  };
}

}  // namespace

SampleData to_sample_data(const nb::object& given) {
  SampleData data;
  if (given.is_none()) return data;
  if (nb::isinstance<nb::str>(given)) {
    data.path = nb::cast<std::string>(given);
    return data;
  }
  data.once = nb::cast<bool>(given[1]);
  data.start = [start = hold(given[0])]() -> Result<SampleStream> {
    Held iterator;
    if (Callbacks::guard([&] { iterator = hold((*start)()); })) return stream_of(iterator);
    return callback_failed();
  };
  return data;
}

Evaluation to_evaluation(const nb::object& given) {
  Evaluation evaluation;
  evaluation.data = to_sample_data(given[0]);
  evaluation.metric = nb::cast<std::string>(given[1]);
  const nb::object function = given[2];
  if (function.is_none()) return evaluation;
  evaluation.custom = [function = hold(function)](
                          const std::vector<TensorMap>& outputs,
                          const std::vector<std::vector<double>>& labels) -> Result<double> {
    double value = 0;
    const bool done = Callbacks::guard([&] {
      nb::list arrays;
      for (const TensorMap& sample : outputs) arrays.append(to_arrays(sample));
      value = nb::cast<double>((*function)(arrays, labels));
    });
    if (done) return value;
    return callback_failed();
  };
  return evaluation;
}

}  // namespace wattwise::python
