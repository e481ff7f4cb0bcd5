// SPDX-License-Identifier: Apache-2.0
// The test models of the standard's operators through every pass alone and all together, as they
// are and with all inputs but the first made constants, which is where passes find most to do: what
// answered as expected before must do so after. Needs the models in $WATTWISE_OPERATOR_MODELS or
// where `./setup models` puts them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "engine/session.h"
#include "measure/metrics.h"
#include "model/graph_edit.h"
#include "model/inspect.h"
#include "model/load.h"
#include "model/save.h"
#include "model/walk.h"
#include "optimize/convert_opset.h"
#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

namespace fs = std::filesystem;

/// As the standard's own runner compares.
constexpr double kRelative = 1e-3;
constexpr double kAbsolute = 1e-5;

/// Under a sanitizer, which takes ten times as long, every so many models are looked at; the build
/// without looks at all.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kEvery = 8;
#else
constexpr size_t kEvery = 1;
#endif
constexpr size_t kParts = 4;

std::optional<fs::path> models_folder() {
  if (const char* named = std::getenv("WATTWISE_OPERATOR_MODELS")) return named;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  if (!cache && !home) return std::nullopt;
  const fs::path base = cache ? fs::path(cache) : fs::path(home) / ".cache";
  const fs::path folder = base / "wattwise" / "models" / "operators";
  return fs::exists(folder) ? std::optional(folder) : std::nullopt;
}

std::string read_text(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// A field of a message: key, length, content.
std::string field(int number, const std::string& content) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  size_t length = content.size();
  for (; length >= 128; length >>= 7) out += static_cast<char>((length & 127) | 128);
  return out + static_cast<char>(length) + content;
}

/// A tensor file, read as the one initializer of a model. Absent for sequences and the like.
std::optional<Tensor> read_tensor(const fs::path& path) {
  const auto model = model::parse(Bytes::own(field(7, field(5, read_text(path)))), path.string());
  if (!model || model->graph.initializers.size() != 1) return std::nullopt;
  return model->graph.initializers[0].tensor();
}

struct Case {
  std::string name;
  model::Model model;
  TensorMap inputs;
  TensorMap expected;
};

bool read_values(const fs::path& folder, const std::string& prefix,
                 const std::vector<PortInfo>& ports, TensorMap& values) {
  for (size_t i = 0; i < ports.size(); ++i) {
    const fs::path file = folder / (prefix + std::to_string(i) + ".pb");
    if (!fs::exists(file)) return true;
    auto tensor = read_tensor(file);
    if (!tensor || ports[i].type == DataType::kUndefined) return false;
    values[ports[i].name] = std::move(*tensor);
  }
  return true;
}

std::optional<Case> read_case(const fs::path& folder) {
  auto loaded = model::load(system_env(), (folder / "model.onnx").string());
  if (!loaded) return std::nullopt;
  Case found{folder.filename().string(), std::move(*loaded), {}, {}};
  const fs::path data = folder / "test_data_set_0";
  const bool whole = read_values(data, "input_", model::input_ports(found.model), found.inputs) &&
                     read_values(data, "output_", model::output_ports(found.model), found.expected);
  return whole ? std::optional(std::move(found)) : std::nullopt;
}

/// The case with every input but the first as an initializer.
std::optional<Case> with_constants(const Case& given) {
  if (given.inputs.size() < 2) return std::nullopt;
  Case changed{given.name + " (constants)", model::clone(given.model), {}, given.expected};
  changed.model.ir_version = std::max<int64_t>(changed.model.ir_version, 4);
  model::Graph& graph = changed.model.graph;
  const std::string fed = graph.inputs[0].name;
  std::erase_if(graph.inputs, [&](const model::Value& input) {
    return input.name != fed && given.inputs.contains(input.name);
  });
  for (const auto& [name, tensor] : given.inputs) {
    if (name == fed) {
      changed.inputs[name] = tensor;
    } else {
      graph.initializers.push_back(model::make_constant(name, tensor));
    }
  }
  return changed;
}

bool is_close(const Tensor& expected, const Tensor& answer) {
  if (expected.type != answer.type || expected.shape != answer.shape) return false;
  if (expected.type == DataType::kString) return expected.strings == answer.strings;
  const auto left = measure::as_floats(expected);
  const auto right = measure::as_floats(answer);
  if (!left || !right) return expected.data.as_text() == answer.data.as_text();
  for (size_t i = 0; i < left->size(); ++i) {
    const double a = (*left)[i];
    const double b = (*right)[i];
    const bool same = (std::isnan(a) && std::isnan(b)) || a == b;
    if (!same && !(std::abs(a - b) <= kAbsolute + kRelative * std::abs(a))) return false;
  }
  return true;
}

/// What is wrong with the model's answers; empty if they are as expected.
std::string objection(const std::shared_ptr<engine::Runtime>& runtime, const model::Model& model,
                      const Case& given) {
  const auto session =
      engine::open_session(runtime, system_env(), model, given.name, engine::SessionOptions());
  if (!session) return session.error().to_string();
  const auto answers = (*session)->run(given.inputs);
  if (!answers) return answers.error().to_string();
  for (const auto& [name, tensor] : given.expected) {
    const auto it = answers->find(name);
    if (it == answers->end() || !is_close(tensor, it->second)) return "another value of " + name;
  }
  return "";
}

/// The file without the spellings of `Constant` nodes, which looking at them makes uniform.
std::string uniform_bytes(const model::Model& model) {
  model::Model copy = model::clone(model);
  const model::ConstantIndex constants(copy.graph);
  return *model::serialize(copy);
}

/// The models, in parts that run side by side.
class OperatorModels : public ::testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    const auto folder = models_folder();
    if (!folder) GTEST_SKIP() << "no operator models; ./setup models fetches them";
    runtime_ = *engine::load_runtime(system_env(), {});
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(*folder)) {
      if (entry.path().filename() == "model.onnx") files.push_back(entry.path().parent_path());
    }
    std::sort(files.begin(), files.end());
    for (size_t i = GetParam() * kEvery; i < files.size(); i += kParts * kEvery) {
      auto found = read_case(files[i]);
      if (!found) continue;
      auto constants = with_constants(*found);
      add(std::move(*found), as_they_are_);
      if (constants) add(std::move(*constants), with_constants_);
    }
    std::cout << files.size() << " operator models, of which ONNX Runtime runs " << as_they_are_
              << " as expected untouched, " << with_constants_ << " with constants\n";
  }

  /// Keeps a case that answers as expected untouched.
  void add(Case found, int& count) {
    if (!objection(runtime_, found.model, found).empty()) return;
    cases_.push_back(std::move(found));
    ++count;
  }

  std::shared_ptr<engine::Runtime> runtime_;  // shared with the sessions made from it
  std::vector<Case> cases_;
  int as_they_are_ = 0;
  int with_constants_ = 0;
};

TEST_P(OperatorModels, AnswerAsExpectedAfterEveryPass) {
  std::map<std::string_view, int> changed;
  for (const Case& given : cases_) {
    const std::string untouched = uniform_bytes(given.model);
    for (const PassRow& row : pass_table()) {
      model::Model copy = model::clone(given.model);
      const PassContext context(runtime_, system_env(), {});
      const auto outcome = row.run(copy, context);
      ASSERT_TRUE(outcome.has_value())
          << row.name << ", " << given.name << ": " << outcome.error().to_string();
      if (outcome->changed == 0) {
        EXPECT_TRUE(uniform_bytes(copy) == untouched)
            << row.name << " says that it changed nothing of " << given.name;
        continue;
      }
      ++changed[row.name];
      EXPECT_EQ(objection(runtime_, copy, given), "") << row.name << ", " << given.name;
    }
  }
  for (const auto& [name, count] : changed) {
    std::cout << name << ": " << count << " models changed\n";
  }
}

TEST_P(OperatorModels, AnswerAsExpectedAfterAllPasses) {
  int changed = 0;
  for (const Case& given : cases_) {
    model::Model copy = model::clone(given.model);
    PassContext context(runtime_, system_env(), {});
    const auto report = optimize(copy, context, {});
    ASSERT_TRUE(report.has_value()) << given.name << ": " << report.error().to_string();
    EXPECT_LT(report->rounds, kMaxRounds) << given.name << " reaches no fixed point";
    changed += report->applied.empty() ? 0 : 1;
    EXPECT_EQ(objection(runtime_, copy, given), "") << given.name;
  }
  std::cout << "all passes: " << changed << " models changed\n";
}

/// Types that only the newer set takes are for the runtime to refuse, which it does by these words.
bool is_about_types(const std::string& objection) {
  return objection.find("Type Error: Type '") != std::string::npos ||
         objection.find("Could not find an implementation") != std::string::npos;
}

TEST_P(OperatorModels, AnswerAsExpectedInOtherOperatorSets) {
  std::map<int64_t, int> converted;
  std::map<std::string, int> refusals;
  for (const Case& given : cases_) {
    const int64_t own = given.model.opset("");
    if (own < kOldestOpset || own > kNewestOpset || !given.model.functions.empty()) continue;
    const auto shapes = engine::infer_free_shapes(runtime_, system_env(), given.model);
    ASSERT_TRUE(shapes.has_value()) << given.name << ": " << shapes.error().to_string();
    /// Tells whether there is such a model.
    const auto holds = [&](int64_t version) {
      model::Model copy = model::clone(given.model);
      const auto done = convert_opset(copy, version, *shapes);
      if (!done) {
        EXPECT_EQ(done.error().code(), ErrorCode::kUnsupported);
        ++refusals[done.error().message()];
        return false;
      }
      const std::string problem = objection(runtime_, copy, given);
      if (is_about_types(problem)) return false;
      EXPECT_EQ(problem, "") << given.name << " from " << own << " to " << version;
      ++converted[version];
      return true;
    };
    for (const int64_t version : {13, 17, 21, 22, 23, 24}) {
      if (version > own) holds(version);
    }
    for (int64_t version = own - 1; version >= kOldestOpset && holds(version);) --version;
  }
  for (const auto& [message, count] : refusals) std::cout << count << " x " << message << "\n";
  for (const auto& [version, count] : converted) {
    std::cout << count << " models answer as expected in operator set " << version << "\n";
  }
}

INSTANTIATE_TEST_SUITE_P(Part, OperatorModels, ::testing::Range(size_t{0}, kParts));

}  // namespace
}  // namespace wattwise::optimize::testing
