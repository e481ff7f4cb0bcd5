// SPDX-License-Identifier: Apache-2.0
#include "engine/message.h"

#include <gtest/gtest.h>

namespace wattwise::engine {
namespace {

TEST(Message, LosesSourcePlacesSignaturesAndConditions) {
  EXPECT_EQ(
      readable_message(
          "Non-zero status code returned while running Add node. Name:'/add' Status Message: "
          "/onnxruntime_src/onnxruntime/core/providers/cpu/math/element_wise_ops.h:563 void "
          "onnxruntime::BroadcastIterator::Init(ptrdiff_t, ptrdiff_t) axis == 1 || axis == largest "
          "was false. Attempting to broadcast an axis by a dimension other than 1. 3 by 4\n"),
      "the Add node \"/add\": Attempting to broadcast an axis by a dimension other than 1. 3 by 4");
  EXPECT_EQ(
      readable_message("Non-zero status code returned while running MatMul node. Name:'' "
                       "Status Message: matmul_helper.h:59 Compute MatMul dimension mismatch"),
      "the MatMul node \"\": MatMul dimension mismatch");
  EXPECT_EQ(readable_message("/x/y.cc:1 T onnxruntime::F(const S&, void (*)(int)) const [with T = "
                             "a<b[1]>] it broke"),
            "it broke");
}

TEST(Message, KeepsWhatHasNoSuchParts) {
  EXPECT_EQ(readable_message("Load model from /m.onnx failed:\nno graph"),
            "Load model from /m.onnx failed: no graph");
  EXPECT_EQ(readable_message("a.cc:1"), "");
  EXPECT_EQ(readable_message(""), "");
}

}  // namespace
}  // namespace wattwise::engine
