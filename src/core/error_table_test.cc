// SPDX-License-Identifier: Apache-2.0
#include "core/error_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "core/progress.h"

namespace wattwise {
namespace {

TEST(ErrorTable, EveryCodeHasItsRow) {
  // kInternal is the last code; a code added behind it fails here until it has a row.
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    EXPECT_EQ(error_row(static_cast<ErrorCode>(code)).code, static_cast<ErrorCode>(code));
  }
  EXPECT_EQ(kErrorTable.size(), static_cast<size_t>(ErrorCode::kInternal) + 1);
}

TEST(ErrorTable, RowsCanBeToldApart) {
  std::set<int> exit_codes;
  std::set<std::string_view> texts;
  for (const ErrorRow& row : kErrorTable) {
    exit_codes.insert(row.exit_code);
    texts.insert(row.name);
    texts.insert(row.sentence);
    texts.insert(row.python_exception);
    EXPECT_TRUE(row.sentence.ends_with('.')) << row.name;
    EXPECT_TRUE(row.python_exception.ends_with("Error")) << row.name;
    EXPECT_GE(row.http_status, 400) << row.name;
    EXPECT_LT(row.http_status, 600) << row.name;
  }
  EXPECT_EQ(exit_codes.size(), kErrorTable.size());
  EXPECT_EQ(texts.size(), kErrorTable.size() * 3);
  EXPECT_FALSE(exit_codes.contains(0)) << "success";
  EXPECT_FALSE(exit_codes.contains(1)) << "what a shell or an interpreter returns by itself";
  EXPECT_LT(*exit_codes.rbegin(), 126) << "a shell's own codes";
}

TEST(Errors, ContextStandsOutermostFirst) {
  const auto inner = []() -> Result<int> { return Error(ErrorCode::kIo, "disk full"); };
  const auto outer = [&]() -> Result<std::string> {
    const int value = WATTWISE_TRY(inner());
    return std::to_string(value);
  };
  auto failed = outer();
  ASSERT_FALSE(failed.has_value());
  const Error error =
      std::move(failed).error().with_context("writing m.onnx").with_context("preparing m.onnx");
  EXPECT_EQ(error.to_string(), "preparing m.onnx: writing m.onnx: disk full");
  EXPECT_EQ(error.code(), ErrorCode::kIo);
}

TEST(Progress, ARefusalBecomesExhausted) {
  EXPECT_TRUE(report_progress({}, "stage", 0.5).has_value());
  double seen = 0;
  const auto go_on = [&](std::string_view, double fraction) {
    seen = fraction;
    return true;
  };
  EXPECT_TRUE(report_progress(go_on, "stage", 0.5).has_value());
  EXPECT_EQ(seen, 0.5);
  const auto stopped = report_progress([](auto, double) { return false; }, "writing", 0.9);
  ASSERT_FALSE(stopped.has_value());
  EXPECT_EQ(stopped.error().code(), ErrorCode::kExhausted);
  EXPECT_NE(stopped.error().message().find("cancelled"), std::string::npos);
}

}  // namespace
}  // namespace wattwise
