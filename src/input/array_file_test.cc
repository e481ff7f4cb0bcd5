// SPDX-License-Identifier: Apache-2.0
#include "input/array_file.h"

#include <gtest/gtest.h>

#include <numeric>

#include "core/failing_env.h"
#include "core/memory_env.h"
#include "input/test_fixtures.h"

namespace wattwise::input {
namespace {

template <typename T>
std::vector<T> count_up(size_t count) {
  std::vector<T> numbers(count);
  std::iota(numbers.begin(), numbers.end(), T{0});
  return numbers;
}

/// A version 1 file with this header text and content.
std::string npy(const std::string& header, const std::string& content) {
  std::string bytes = "\x93NUMPY";
  bytes += {'\x01', '\x00', static_cast<char>(header.size() & 0xff),
            static_cast<char>(header.size() >> 8)};
  return bytes + header + content;
}

Result<Tensor> parse(const std::string& bytes) { return parse_npy(Bytes::own(bytes), "x.npy"); }

TEST(ReadNpyTest, ReadsWhatNumpyWrote) {
  const auto plain = read_npy(system_env(), fixture("plain.npy"));
  ASSERT_TRUE(plain) << plain.error().to_string();
  EXPECT_EQ(plain->type, DataType::kFloat);
  EXPECT_EQ(plain->shape, (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(to_vector<float>(*plain), count_up<float>(24));
}

TEST(ReadNpyTest, TransposesColumnMajorArrays) {
  const auto array = read_npy(system_env(), fixture("fortran.npy"));
  ASSERT_TRUE(array) << array.error().to_string();
  EXPECT_EQ(array->shape, (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(to_vector<int16_t>(*array), count_up<int16_t>(24));
}

TEST(ReadNpyTest, SwapsBigEndianArrays) {
  const auto array = read_npy(system_env(), fixture("big_endian.npy"));
  ASSERT_TRUE(array) << array.error().to_string();
  EXPECT_EQ(to_vector<double>(*array), count_up<double>(24));
}

TEST(ReadNpyTest, ReadsScalars) {
  const auto array = read_npy(system_env(), fixture("scalar.npy"));
  ASSERT_TRUE(array) << array.error().to_string();
  EXPECT_TRUE(array->shape.empty());
  EXPECT_EQ(to_vector<int64_t>(*array), std::vector<int64_t>{16000});
}

TEST(ReadNpyTest, AlignedDataIsAViewOfTheFile) {
  const Bytes bytes = Bytes::own(fixture_content("plain.npy"));
  const auto array = parse_npy(bytes, "plain.npy");
  ASSERT_TRUE(array);
  EXPECT_GE(array->data.data(), bytes.data());
  EXPECT_LT(array->data.data(), bytes.data() + bytes.size());
}

TEST(ReadNpyTest, RefusesObjectsAndWords) {
  const auto objects = read_npy(system_env(), fixture("objects.npy"));
  EXPECT_CONTAINS(failure(objects, ErrorCode::kUnsupported), "'|O'");
  const auto words = read_npy(system_env(), fixture("words.npy"));
  EXPECT_CONTAINS(failure(words, ErrorCode::kUnsupported), "'<U1'");
}

TEST(ReadNpyTest, RefusesHostileHeaders) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  ASSERT_TRUE(parse(npy(good, std::string(8, 'x'))));
  const std::vector<std::string> hostile = {
      "",
      "\x93NUMP",
      "\x93NUMPY\x01",
      npy(good, std::string(7, 'x')),
      npy("", ""),
      npy("{", ""),
      npy("{}", ""),
      npy("[]", ""),
      npy("{'descr': '<f4'}", ""),
      npy("{'descr': '<f4', 'fortran_order': 1, 'shape': ()}", "xxxx"),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "xxxx"),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1"  // unclosed
          ,
          "xxxx"),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4)}", "x"),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", "x"),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} import", "xxxx"),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'shape': (1,)}", "xxxx"),
      npy("{'descr': '<f4', 'descr': '<f4', 'shape': (1,), 'extra': True}", "xxxx"),
      std::string("\x93NUMPY\x01\x00\xff\xff{", 11) + "}",
      std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff{}", 14),
  };
  for (const std::string& bytes : hostile) {
    const auto array = parse(bytes);
    EXPECT_CONTAINS(failure(array, ErrorCode::kCorrupt), "x.npy is not a valid .npy array");
  }
}

TEST(ReadNpyTest, EmptyArraysKeepTheirShape) {
  const auto array =
      parse(npy("{'descr': '<f8', 'fortran_order': True, 'shape': (0, 9223372036854775807)}", ""));
  ASSERT_TRUE(array) << array.error().to_string();
  EXPECT_EQ(array->element_count(), 0);
  EXPECT_TRUE(array->data.empty());
}

TEST(WriteNpyTest, MakesTheSameBytesAsNumpy) {
  MemoryEnv env;
  const auto floats = count_up<float>(24);
  ASSERT_TRUE(write_npy(env, "/d/a.npy", make_float_tensor({2, 3, 4}, floats)));
  EXPECT_EQ(env.read_file("/d/a.npy").value(), fixture_content("plain.npy"));
  const std::vector<int64_t> rate = {16000};
  ASSERT_TRUE(write_npy(env, "/d/s.npy", make_int64_tensor({}, rate)));
  EXPECT_EQ(env.read_file("/d/s.npy").value(), fixture_content("scalar.npy"));
}

TEST(WriteNpyTest, FailsWholeAtAnyPoint) {
  MemoryEnv memory;
  const std::vector<float> one = {1};
  FailingEnv counting(memory, 0);
  ASSERT_TRUE(write_npy(counting, "/count/a.npy", make_float_tensor({1}, one)));
  ASSERT_GT(counting.calls(), 2);
  for (int n = 1; n <= counting.calls(); ++n) {
    MemoryEnv fresh;
    FailingEnv failing(fresh, n);
    const auto written = write_npy(failing, "/d/a.npy", make_float_tensor({1}, one));
    const bool complete = fresh.stat("/d/a.npy").has_value() && read_npy(fresh, "/d/a.npy");
    EXPECT_TRUE(!written.has_value()) << n;
    EXPECT_TRUE(complete || !fresh.stat("/d/a.npy")) << n;
  }
}

TEST(WriteNpyTest, RefusesTypesThatNumpyLacks) {
  MemoryEnv env;
  const auto written = write_npy(env, "/a.npy", {DataType::kBfloat16, {0}, {}, {}});
  EXPECT_CONTAINS(failure(written, ErrorCode::kUnsupported), "bfloat16");
}

TEST(ReadNpzTest, ReadsStoredAndDeflatedArchives) {
  for (const std::string name : {"stored.npz", "deflated.npz"}) {
    const auto arrays = read_npz(system_env(), fixture(name));
    ASSERT_TRUE(arrays) << arrays.error().to_string();
    ASSERT_EQ(arrays->size(), 2U);
    EXPECT_EQ(to_vector<int64_t>(arrays->at("ids")), (std::vector<int64_t>{1, 2, 3}));
    EXPECT_EQ(to_vector<float>(arrays->at("x")), count_up<float>(24));
    EXPECT_EQ(arrays->at("x").shape, (std::vector<int64_t>{2, 3, 4}));
  }
}

TEST(ReadNpzTest, EveryDamagedByteIsNoticedOrHarmless) {
  const std::string good = fixture_content("deflated.npz");
  MemoryEnv env;
  env.put_file("/good.npz", good);
  const TensorMap expected = read_npz(env, "/good.npz").value();
  int refused = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x5a);
    env.put_file("/bad.npz", bad);
    const auto arrays = read_npz(env, "/bad.npz");
    refused += arrays ? 0 : 1;
    if (!arrays || !arrays->contains("x")) continue;
    EXPECT_EQ(to_vector<float>(arrays->at("x")), to_vector<float>(expected.at("x"))) << at;
  }
  EXPECT_GT(refused, static_cast<int>(good.size() / 2));
}

TEST(ReadNpzTest, EveryCutIsRefused) {
  const std::string good = fixture_content("stored.npz");
  MemoryEnv env;
  for (size_t length = 0; length < good.size(); length += 7) {
    env.put_file("/cut.npz", good.substr(0, length));
    const auto arrays = read_npz(env, "/cut.npz");
    EXPECT_CONTAINS(failure(arrays, ErrorCode::kCorrupt), "/cut.npz");
  }
}

}  // namespace
}  // namespace wattwise::input
