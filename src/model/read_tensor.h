// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/fields.h"
#include "model/reader.h"

namespace wattwise::model {

/// What reading tensors needs beside the message itself.
struct TensorSource {
  const Bytes& file;
  const ExternalData& external;
  ItemBudget& budget;
};

/// A TensorProto at `message`, which lies inside `source.file`. Raw bytes, and floats and doubles
/// in packed fields, become a view of the file; other typed fields are unpacked into raw layout.
Constant read_tensor(Reader message, const TensorSource& source);

}  // namespace wattwise::model
