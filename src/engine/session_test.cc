// SPDX-License-Identifier: Apache-2.0
#include "engine/session.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>

#include "engine/providers.h"
#include "engine/runtime_testing.h"
#include "model/save.h"
#include "model/test_models.h"

namespace wattwise::engine {
namespace {

using model::dense_like;

std::unique_ptr<Session> open(const model::Model& model, const SessionOptions& options = {}) {
  auto session = open_session(runtime_for_tests(), system_env(), model, "the test model", options);
  EXPECT_TRUE(session.has_value()) << session.error().to_string();
  return std::move(*session);
}

Tensor ramp(std::vector<int64_t> shape) {
  Tensor tensor = make_float_tensor(std::move(shape), {});
  std::vector<float> values(static_cast<size_t>(tensor.element_count()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) - 2;
  return make_float_tensor(tensor.shape, values);
}

/// Relu(x w + b), by hand.
std::vector<float> expected_dense(const model::Model& model, const Tensor& x) {
  const auto w = model.graph.initializers[0].tensor();
  const auto b = model.graph.initializers[1].tensor();
  const auto rows = static_cast<size_t>(x.shape[0]);
  const auto inputs = static_cast<size_t>(w.shape[0]);
  const auto outputs = static_cast<size_t>(w.shape[1]);
  std::vector<float> y;
  for (size_t row = 0; row < rows; ++row) {
    for (size_t j = 0; j < outputs; ++j) {
      float sum = b.values<float>()[j];
      for (size_t i = 0; i < inputs; ++i) {
        sum += x.values<float>()[row * inputs + i] * w.values<float>()[i * outputs + j];
      }
      y.push_back(std::max(sum, 0.0F));
    }
  }
  return y;
}

/// The message of a run that must be refused.
std::string refusal(const Session& session, const TensorMap& inputs) {
  const auto outputs = session.run(inputs);
  if (outputs) return "accepted";
  EXPECT_EQ(outputs.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(outputs.error().to_string().find('\n'), std::string::npos);
  return outputs.error().to_string();
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << "in: " << (text)

TEST(Session, ComputesWhatTheGraphSays) {
  const auto model = dense_like();
  const auto session = open(model);
  ASSERT_EQ(session->inputs().size(), 1u);
  EXPECT_EQ(session->inputs()[0].shape, (std::vector<int64_t>{-1, 4}));
  EXPECT_EQ(session->inputs()[0].dim_names[0], "x_0");
  for (const int64_t batch : {1, 3}) {
    const Tensor x = ramp({batch, 4});
    const auto outputs = session->run({{"x", x}});
    ASSERT_TRUE(outputs.has_value()) << outputs.error().to_string();
    const Tensor& y = outputs->at("y");
    EXPECT_EQ(y.shape, (std::vector<int64_t>{batch, 3}));
    const auto expected = expected_dense(model, x);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(y.values<float>()[i], expected[i], 1e-5);
    }
  }
}

/// Half a gigabyte of zeros that takes no memory as long as nobody writes to it or copies it.
Bytes hollow_bytes(size_t size) {
  void* address =
      ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  EXPECT_NE(address, MAP_FAILED);
  const std::shared_ptr<const void> owner(
      address, [size](const void* p) { ::munmap(const_cast<void*>(p), size); });
  return Bytes(owner, {static_cast<const std::byte*>(address), size});
}

int64_t peak_memory_bytes() {
  struct ::rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

TEST(Session, InputsAreUsedInPlace) {
  model::Model model = dense_like();
  model.graph.inputs = {model::make_value("x", DataType::kFloat, {-1})};
  model.graph.outputs = {model::make_value("y", DataType::kInt64, {1})};
  model.graph.initializers.clear();
  model.graph.nodes = {model::make_node("Shape", {"x"}, "y")};
  const auto session = open(model);
  constexpr size_t kBytes = size_t{1} << 29U;
  const Tensor x{DataType::kFloat, {kBytes / sizeof(float)}, hollow_bytes(kBytes), {}};
  const int64_t before = peak_memory_bytes();
  const auto outputs = session->run({{"x", x}});
  ASSERT_TRUE(outputs.has_value()) << outputs.error().to_string();
  EXPECT_EQ(outputs->at("y").values<int64_t>()[0], int64_t{kBytes / sizeof(float)});
  EXPECT_LT(peak_memory_bytes() - before, int64_t{kBytes / 4}) << "the input was copied";
}

TEST(Session, OutputsOutliveTheSession) {
  auto session = open(dense_like());
  auto outputs = session->run({{"x", ramp({1, 4})}});
  ASSERT_TRUE(outputs.has_value());
  const Tensor kept = outputs->at("y");
  session.reset();
  outputs->clear();
  const auto expected = expected_dense(dense_like(), ramp({1, 4}));
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(kept.values<float>()[i], expected[i], 1e-5);
  }
}

TEST(Session, WrongInputsAreRefusedWithWhatIsExpected) {
  const auto session = open(dense_like());
  const std::string expected = "x float[x_0, 4]";
  EXPECT_HAS(refusal(*session, {}), expected);
  EXPECT_HAS(refusal(*session, {}), "nothing");
  const auto wrong_name = refusal(*session, {{"z", ramp({1, 4})}});
  EXPECT_HAS(wrong_name, expected);
  EXPECT_HAS(wrong_name, "z");
  EXPECT_HAS(refusal(*session, {{"x", ramp({1, 4})}, {"z", ramp({1})}}), expected);
  const auto wrong_size = refusal(*session, {{"x", ramp({1, 5})}});
  EXPECT_HAS(wrong_size, expected);
  EXPECT_HAS(wrong_size, "[1, 5]");
  EXPECT_HAS(refusal(*session, {{"x", ramp({4})}}), expected);
  const std::vector<int64_t> whole = {1, 2, 3, 4};
  const auto wrong_type = refusal(*session, {{"x", make_int64_tensor({1, 4}, whole)}});
  EXPECT_HAS(wrong_type, expected);
  EXPECT_HAS(wrong_type, "int64[1, 4]");
}

TEST(Session, AShapeThatItsBytesDoNotFillIsRefused) {
  const auto session = open(dense_like());
  Tensor x = ramp({1, 4});
  x.shape = {1000, 4};
  EXPECT_HAS(refusal(*session, {{"x", x}}), "holds 16 bytes, not 16000");
  x.shape = {-1, 4};
  EXPECT_NE(refusal(*session, {{"x", x}}), "accepted");
}

class BrokenModel : public ::testing::Test {
 protected:
  void SetUp() override { folder_ = *system_env().make_temp_directory(); }
  void TearDown() override { ASSERT_TRUE(system_env().remove(folder_).has_value()); }
  std::string write(const std::string& name, std::string_view text) const {
    const std::string path = join_path(folder_, name);
    auto file = system_env().create_file(path);
    EXPECT_TRUE((*file)->append(std::as_bytes(std::span<const char>(text))).has_value());
    return path;
  }
  std::string folder_;
};

TEST_F(BrokenModel, IsAnErrorWithThePath) {
  const std::string whole = *model::serialize(dense_like());
  model::Model unknown = dense_like();
  unknown.graph.nodes[0].op_type = "NoSuchOperator";
  const std::vector<std::pair<std::string, std::string>> files = {
      {"garbage.onnx", "this is no model"},
      {"cut.onnx", whole.substr(0, whole.size() / 2)},
      {"unknown.onnx", *model::serialize(unknown)},
      {"empty.onnx", ""}};
  for (const auto& [name, content] : files) {
    const std::string path = write(name, content);
    const auto session = open_session(runtime_for_tests(), system_env(), path, {});
    ASSERT_FALSE(session.has_value()) << name;
    EXPECT_HAS(session.error().message(), path);
    EXPECT_EQ(session.error().message().find('\n'), std::string::npos);
    EXPECT_NE(session.error().code(), ErrorCode::kInternal) << session.error().message();
  }
  const auto missing =
      open_session(runtime_for_tests(), system_env(), join_path(folder_, "no.onnx"), {});
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_HAS(missing.error().message(), "no.onnx");
}

TEST(Session, LargeWeightsAreHandedOverWhereTheyLie) {
  const auto model = dense_like(2048, 2048);  // 16.8 MB: beyond what goes over as one buffer
  const Tensor x = make_float_tensor({1, 2048}, model::random_floats(2048, 1));
  const auto outputs = open(model)->run({{"x", x}});
  ASSERT_TRUE(outputs.has_value()) << outputs.error().to_string();
  const auto expected = expected_dense(model, x);
  for (size_t i = 0; i < expected.size(); i += 97) {
    EXPECT_NEAR(outputs->at("y").values<float>()[i], expected[i], 1e-3);
  }
}

SessionOptions preferring(std::vector<std::string> providers) {
  SessionOptions options;
  options.providers = std::move(providers);
  return options;
}

TEST(Providers, TheProcessorIsAlwaysThereAndEveryFallbackEndsAtIt) {
  const auto statuses = probe_providers(*runtime_for_tests());
  ASSERT_EQ(statuses.size(), provider_table().size());
  for (size_t i = 0; i < statuses.size(); ++i) {
    const ProviderRow& row = provider_table()[i];
    EXPECT_EQ(statuses[i].id, row.id);
    EXPECT_EQ(statuses[i].available, statuses[i].reason.empty()) << row.id;
    EXPECT_EQ(row.fallback, row.id == "cpu" ? "" : "cpu");
    EXPECT_TRUE(row.ort_name.ends_with("ExecutionProvider"));
    const bool is_explained = statuses[i].reason.find(row.needs) != std::string::npos;
    EXPECT_TRUE(statuses[i].available || is_explained) << statuses[i].reason;
    EXPECT_TRUE(statuses[i].available || row.id != "cpu");
  }
}

TEST(Providers, OneThatIsNotThereFallsBackWithADecision) {
  const TensorMap inputs = {{"x", ramp({1, 4})}};
  const auto expected = open(dense_like())->run(inputs);
  int missing = 0;
  for (const ProviderStatus& status : probe_providers(*runtime_for_tests())) {
    if (status.available) continue;
    ++missing;
    const auto session = open(dense_like(), preferring({status.id, "cpu"}));
    EXPECT_EQ(session->provider(), "cpu");
    ASSERT_EQ(session->decisions().size(), 1u) << status.id;
    EXPECT_EQ(session->decisions()[0].subject, status.id);
    EXPECT_EQ(session->decisions()[0].reason, status.reason);
    const auto outputs = session->run(inputs);
    ASSERT_TRUE(outputs.has_value());
    EXPECT_EQ(outputs->at("y").data.as_text(), expected->at("y").data.as_text());
  }
  EXPECT_GT(missing, 0) << "no machine has a GPU of each maker";
}

TEST(Providers, AnUnknownOneIsRefused) {
  const auto session =
      open_session(runtime_for_tests(), system_env(), dense_like(), "m", preferring({"abacus"}));
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_HAS(session.error().message(), "abacus");
}

TEST(Runtime, LoadsOnceAndSaysWhich) {
  const auto first = runtime_for_tests();
  const auto second = load_runtime(system_env(), {"/no/such/library.so", {}});
  ASSERT_TRUE(second.has_value()) << "a process has one library";
  EXPECT_EQ((*second)->library_path(), first->library_path());
  EXPECT_EQ((*second)->version(), first->version());
}

}  // namespace
}  // namespace wattwise::engine
