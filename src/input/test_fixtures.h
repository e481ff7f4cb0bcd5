// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "core/env.h"
#include "wattwise/types.h"

namespace wattwise::input {

/// A file of tests/fixtures/input.
inline std::string fixture(const std::string& name) {
  return join_path(WATTWISE_SOURCE_DIR "/tests/fixtures/input", name);
}

/// Its content, to be put into a MemoryEnv.
inline std::string fixture_content(const std::string& name) {
  return system_env().read_file(fixture(name)).value();
}

template <typename T>
std::vector<T> to_vector(const Tensor& tensor) {
  const auto values = tensor.values<T>();
  return {values.begin(), values.end()};
}

template <typename T>
Tensor make_tensor(DataType type, std::vector<int64_t> shape, const std::vector<T>& values) {
  return {type, std::move(shape), Bytes::copy_of(std::span<const T>(values)), {}};
}

inline PortInfo port(std::string name, DataType type, std::vector<int64_t> shape) {
  PortInfo info{std::move(name), type, std::move(shape), {}, false};
  info.dim_names.resize(info.shape.size());
  return info;
}

/// The message of a Result that must have failed with this code.
template <typename T>
std::string failure(const Result<T>& result, ErrorCode code) {
  if (result.has_value()) return "no failure";
  EXPECT_EQ(result.error().code(), code) << result.error().to_string();
  EXPECT_EQ(result.error().to_string().find('\n'), std::string::npos);
  return result.error().to_string();
}

#define EXPECT_CONTAINS(text, part) \
  EXPECT_NE((text).find(part), std::string::npos) << "in: " << (text)

}  // namespace wattwise::input
