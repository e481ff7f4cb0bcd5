// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "wattwise/tensor.h"

namespace wattwise {

/// Where a figure comes from. There is no fourth kind.
enum class Origin {
  kMeasured,   ///< read from a sensor or a clock; `method` names it
  kEstimated,  ///< computed by a model; `method` names it and low..high is its 95 % interval
  kAbsent,     ///< not available; `method` says why
};

/// A reported number with its provenance. The unit is the last part of the field's or key's name.
struct Figure {
  std::optional<double> value;
  std::optional<double> low;   ///< lower end of the 95 % interval
  std::optional<double> high;  ///< upper end of the 95 % interval
  Origin origin = Origin::kAbsent;
  std::string method;  ///< sensor, estimator, or the reason for absence

  static Figure measured(double value, std::string method);
  static Figure measured(double value, double low, double high, std::string method);
  static Figure estimated(double value, double low, double high, std::string method);
  static Figure absent(std::string reason);
};

/// Named figures in a stable order of keys.
using Figures = std::map<std::string, Figure>;

/// Something WattWise decided, and why. Shown by --explain and by the report.
struct Decision {
  std::string action;   ///< verb: "quantize", "keep_float", "fall_back", "remove"
  std::string subject;  ///< node, tensor, file or method it is about
  std::string reason;
};

/// A change that is really in the written file.
struct AppliedOptimization {
  std::string name;        ///< the pass or method
  int64_t node_count = 0;  ///< how many nodes it touched
};

/// An input or output of a model. -1 stands for a free dimension, named in `dim_names`.
struct PortInfo {
  std::string name;
  DataType type = DataType::kUndefined;
  std::vector<int64_t> shape;
  std::vector<std::string> dim_names;  ///< same length as shape; "" where fixed or unnamed
  bool optional_input = false;         ///< has a default (an initializer of the same name)
};

/// Named tensors, as fed to and returned from a model.
using TensorMap = std::map<std::string, Tensor>;

/// How one output of the prepared model compares with the float model's.
struct OutputAccuracy {
  std::string output;
  double sqnr_db = 0;  ///< 10 log10(sum(ref^2) / sum((ref - new)^2)); +inf when equal
  double cosine = 0;   ///< dot / (|ref| |new|); 1 when both are zero
  double max_abs_error = 0;
  double max_relative_error = 0;  ///< max_abs_error / max |ref|; 0 when equal
};

/// Error of one quantized constant, and what it became. In a result, the worst of known shares come
/// first.
struct LayerQuantization {
  std::string layer;      ///< name of the node that consumes the weight
  std::string weight;     ///< name of the constant
  std::string precision;  ///< "int8 per channel", "int4 block 32", "float"
  int64_t elements = 0;
  double weight_sqnr_db = 0;  ///< 10 log10(sum(w^2) / sum((w - q(w))^2))
  std::string hurt_by = {};   ///< outlier channel, range mismatch, saturation ...; "": nothing
  /// Its part of the squared error of the outputs, as was estimated before the format was chosen,
  /// and as it was measured with it. Absent where that was not done.
  std::optional<double> estimated_error_percent = {};
  std::optional<double> measured_error_percent = {};
  std::string action = {};  ///< what was done about it and why; "" where there was no choice
};

}  // namespace wattwise
