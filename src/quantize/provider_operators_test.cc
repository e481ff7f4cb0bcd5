// SPDX-License-Identifier: Apache-2.0
#include "quantize/provider_operators.h"

#include <gtest/gtest.h>

#include "core/embedded.h"
#include "engine/session.h"
#include "model/test_models.h"
#include "quantize/qdq_testing.h"

namespace wattwise::quantize {
namespace {

using fixtures::accelerated;
using fixtures::accelerator;

TEST(ProviderOperators, ATypeThatTheProviderLacksIsRefusedWithThoseThatItHas) {
  EXPECT_EQ(accelerated("auto").activations->type->name, "uint8");
  EXPECT_EQ(accelerated("auto").next()->activations->type->name, "int8");
  EXPECT_FALSE(accelerated("uint8").next().has_value()) << "it was asked for";
  Json row = accelerator();
  row["activations"] = Json::parse(R"([{"type": "uint8", "form": "bytes"}])");
  const auto refused = choose_activations(*read_provider_operators(row), "uint16");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message().find("accelerator computes in uint8 only"),
            std::string::npos);
}

TEST(ProviderOperators, DamagedTablesSayWhatIsWrong) {
  const auto message = [](const char* key, const char* value) {
    Json row = accelerator();
    row[key] = Json::parse(value);
    const auto read = read_provider_operators(row);
    return read ? std::string("accepted") : read.error().message();
  };
  EXPECT_NE(message("activations", "[]").find("no list"), std::string::npos);
  EXPECT_NE(message("activations", R"([{"type": "int3", "form": "qdq"}])").find("int3"),
            std::string::npos);
  EXPECT_NE(message("activations", R"([{"type": "int8", "form": "bytes"}])").find("bytes"),
            std::string::npos);
  EXPECT_NE(message("operators", R"({"Conv": "wieghts"})").find("wieghts"), std::string::npos);
  EXPECT_NE(message("operators", R"({"Gather": "operands"})").find("none of its"),
            std::string::npos);
  EXPECT_NE(message("operators", R"({"Sofmax": "value"})").find("Sofmax"), std::string::npos);
  EXPECT_NE(message("activations", R"([{"type": "int8", "form": "qdq", "lacks": ["Sin"]}])")
                .find("lack Sin"),
            std::string::npos);
  EXPECT_NE(message("operators", R"([1])").find("operators"), std::string::npos);
}

/// Whether ONNX Runtime knows the operator, whatever it then says of one input and no attributes.
bool is_standard_operator(const std::string& op) {
  model::Model model = fixtures::empty_model(21, "one");
  model.graph.inputs = {model::make_value("x", DataType::kFloat, {1, 4, 4, 4})};
  model.graph.outputs = {model::make_value("y", DataType::kFloat, {1, 4, 4, 4})};
  model.graph.nodes = {model::make_node(op, {"x"}, "y")};
  const auto session =
      engine::open_session(engine::runtime_for_tests(), system_env(), model, "", {});
  return session || session.error().code() != ErrorCode::kUnsupported;
}

TEST(ProviderOperators, EveryDataFileParsesAndNamesStandardOperators) {
  EXPECT_FALSE(is_standard_operator("Sofmax"));
  int files = 0;
  for (const EmbeddedFile& file : embedded_files()) {
    if (!file.name.starts_with("providers/")) continue;
    ++files;
    const auto row = parse_json(file.content, std::string(file.name));
    ASSERT_TRUE(row.has_value()) << row.error().to_string();
    EXPECT_FALSE(row->at("source").get<std::string>().empty()) << file.name;
    const auto provider = read_provider_operators(*row);
    ASSERT_TRUE(provider.has_value()) << provider.error().to_string();
    EXPECT_EQ(file.name, "providers/" + provider->id + ".json");
    EXPECT_FALSE(provider->operators.empty()) << file.name;
    EXPECT_TRUE(choose_activations(*provider, "auto").has_value()) << file.name;
    for (const auto& [op, role] : provider->operators) {
      EXPECT_TRUE(is_standard_operator(op)) << op << " in " << file.name;
    }
  }
  EXPECT_GE(files, 2);
}

}  // namespace
}  // namespace wattwise::quantize
