// SPDX-License-Identifier: Apache-2.0
#include "targets/bundle.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <array>
#include <set>

#include "config/tables.h"
#include "core/failing_env.h"
#include "core/memory_env.h"
#include "input/array_file.h"

namespace wattwise::targets {
namespace {

constexpr const char* kModel = "/models/tiny.onnx";
constexpr const char* kBundle = "/models/tiny_bundle";
using Templates = std::vector<std::pair<std::string, std::string>>;

std::string hex_sha256(const std::string& content) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_Digest(content.data(), content.size(), digest.data(), &size, EVP_sha256(), nullptr);
  constexpr const char* kDigits = "0123456789abcdef";
  std::string out;
  for (unsigned int i = 0; i < size; ++i) {
    out += kDigits[digest[i] >> 4U];
    out += kDigits[digest[i] & 15U];
  }
  return out;
}

/// Paths of all files below a folder, relative to it.
std::set<std::string> files_below(const Env& env, const std::string& folder,
                                  const std::string& inside = "") {
  std::set<std::string> found;
  const auto names = *env.list_directory(join_path(folder, inside));
  for (const std::string& name : names) {
    const std::string path = inside.empty() ? name : inside + "/" + name;
    if (env.stat(join_path(folder, path))->is_directory) {
      found.merge(files_below(env, folder, path));
    } else {
      found.insert(path);
    }
  }
  return found;
}

/// Everything but the target: a model, a companion, ports with names that no file may have.
class BundleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    env_.put_file(kModel, "the bytes of a model");
    env_.put_file("/models/tokenizer.json", "{}");
  }

  BundleRequest request(const Json& target, const Templates& templates) const {
    const std::vector<float> values = {1, 2};
    const Tensor tensor = make_float_tensor({1, 2}, values);
    const PortInfo input{"in/put:0", DataType::kFloat, {-1, 2}, {"n", ""}, false};
    const PortInfo output{"out", DataType::kFloat, {-1, 2}, {"n", ""}, false};
    BundleRequest out{target,   templates, kModel, {"/models/tokenizer.json"}, {}, {input},
                      {output}, {},        {}};
    out.facts = {{"quantization_method", "dynamic"}, {"size_reduction_ratio", 3.5}};
    out.golden_inputs = {{"in/put:0", tensor}};
    out.golden_outputs = {{"out", tensor}};
    return out;
  }

  /// Every file is listed with its size and sum, and nothing that is not there.
  void check_files(const Json& manifest) const {
    std::set<std::string> expected = files_below(env_, kBundle);
    EXPECT_EQ(expected.erase("manifest.json"), 1u);
    std::set<std::string> listed;
    for (const auto& [path, facts] : manifest["files"].items()) {
      listed.insert(path);
      const auto content = env_.read_file(join_path(kBundle, path));
      ASSERT_TRUE(content.has_value()) << path;
      EXPECT_EQ(facts["size_bytes"], content->size()) << path;
      EXPECT_EQ(facts["sha256"], hex_sha256(*content)) << path;
    }
    EXPECT_EQ(listed, expected);
  }

  MemoryEnv env_;
};

const Json kTarget = {{"id", "SOME"},
                      {"runtime", "onnxruntime"},
                      {"files", {{"run.py.in", "run.py"}}},
                      {"claims", {{"run.py", "not executed"}}}};
const Templates kTemplates = {{"run.py.in", "model = '{{model_file}}'  # {{target}}\n"}};

TEST_F(BundleTest, EveryTargetOfTheTablesGivesAWholeBundle) {
  const auto tables = config::load_tables(env_, "");
  ASSERT_TRUE(tables.has_value()) << tables.error().to_string();
  ASSERT_GE(tables->targets.size(), 2u);
  for (const auto& [id, target] : tables->targets) {
    SCOPED_TRACE(id);
    const auto found = tables->templates.find(id);
    const Templates templates = found == tables->templates.end()
                                    ? Templates()
                                    : Templates(found->second.begin(), found->second.end());
    const auto manifest = write_bundle(env_, request(target, templates), kBundle);
    ASSERT_TRUE(manifest.has_value()) << manifest.error().to_string();
    const auto text = env_.read_file(join_path(kBundle, "manifest.json"));
    ASSERT_TRUE(text.has_value());
    EXPECT_EQ(*parse_json(*text, "manifest"), *manifest) << "what is returned is what is written";
    EXPECT_EQ((*manifest)["target"], id);
    check_files(*manifest);
    const Json rows = target.value("files", Json::object());
    for (const auto& [source, output] : rows.items()) {
      const auto rendered = env_.read_file(join_path(kBundle, output.get<std::string>()));
      ASSERT_TRUE(rendered.has_value()) << output;
      EXPECT_EQ(rendered->find("{{"), std::string::npos) << output;
      EXPECT_FALSE(rendered->empty()) << output;
    }
    for (const auto& [file, claim] : manifest->at("claims").items()) {
      EXPECT_TRUE(manifest->at("files").contains(file)) << "a claim about " << file;
    }
    EXPECT_EQ(*env_.list_directory("/models"),
              (std::vector<std::string>{"tiny.onnx", "tiny_bundle", "tokenizer.json"}));
    ASSERT_TRUE(env_.remove(kBundle).has_value());
  }
}

TEST_F(BundleTest, HoldsModelCompanionsFactsAndGoldenArrays) {
  const auto manifest = write_bundle(env_, request(kTarget, kTemplates), kBundle);
  ASSERT_TRUE(manifest.has_value()) << manifest.error().to_string();
  EXPECT_EQ(files_below(env_, kBundle),
            (std::set<std::string>{"golden/input_in_put_0.npy", "golden/output_out.npy",
                                   "manifest.json", "run.py", "tiny.onnx", "tokenizer.json"}));
  EXPECT_EQ(*env_.read_file(join_path(kBundle, "run.py")), "model = 'tiny.onnx'  # SOME\n");
  EXPECT_EQ(*env_.read_file(join_path(kBundle, "tiny.onnx")), "the bytes of a model");
  EXPECT_EQ((*manifest)["size_reduction_ratio"], 3.5);
  EXPECT_EQ((*manifest)["inputs"][0]["shape"], (Json{-1, 2}));
  const std::string golden = (*manifest)["golden_inputs"]["in/put:0"];
  const auto array = input::read_npy(env_, join_path(kBundle, golden));
  ASSERT_TRUE(array.has_value()) << array.error().to_string();
  EXPECT_EQ(array->shape, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(array->values<float>()[1], 2);
}

TEST_F(BundleTest, AFailureAtAnyCallLeavesNothing) {
  FailingEnv counter(env_, 0);
  ASSERT_TRUE(write_bundle(counter, request(kTarget, kTemplates), kBundle).has_value());
  ASSERT_TRUE(env_.remove(kBundle).has_value());
  ASSERT_GT(counter.calls(), 20);
  for (int n = 1; n <= counter.calls(); ++n) {
    FailingEnv env(env_, n);
    const auto written = write_bundle(env, request(kTarget, kTemplates), kBundle);
    ASSERT_FALSE(written.has_value()) << "call " << n;
    EXPECT_EQ(env_.list_directory("/models")->size(), 2u) << "call " << n;
  }
}

TEST_F(BundleTest, ATemplateThatCannotBeFilledIsNamedWithItsLine) {
  const Templates unknown = {{"run.py.in", "first\nsecond {{modle_file}}\n"}};
  const auto refused = write_bundle(env_, request(kTarget, unknown), kBundle);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message().find("\"modle_file\" in line 2"), std::string::npos)
      << refused.error().message();
  const Templates open = {{"run.py.in", "never {{closed"}};
  EXPECT_FALSE(write_bundle(env_, request(kTarget, open), kBundle).has_value());
  const auto missing = write_bundle(env_, request(kTarget, {}), kBundle);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code(), ErrorCode::kCorrupt);
  EXPECT_NE(missing.error().message().find("run.py.in"), std::string::npos);
  EXPECT_EQ(env_.list_directory("/models")->size(), 2u) << "nothing is left of them";
}

}  // namespace
}  // namespace wattwise::targets
