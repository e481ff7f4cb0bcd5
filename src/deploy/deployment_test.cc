// SPDX-License-Identifier: Apache-2.0
#include "wattwise/deployment.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/atomic_file.h"
#include "deploy/test_folder.h"

namespace wattwise::deploy {
namespace {

using Deployment = FolderTest;

PowerEfficientDeployment create(const DeploymentOptions& options) {
  auto made = PowerEfficientDeployment::create(options);
  EXPECT_TRUE(made.has_value()) << made.error().to_string();
  return std::move(*made);
}

Json parsed(const Result<std::string>& text) {
  EXPECT_TRUE(text.has_value()) << text.error().to_string();
  const auto json = parse_json(*text, "a document");
  EXPECT_TRUE(json.has_value());
  return *json;
}

InferenceInputs ids() {
  const std::vector<int64_t> values = {1, 2, 3, 4, 5, 6, 7, 8};
  return {{{"ids", make_int64_tensor({1, 8}, values)}}, {}};
}

TEST_F(Deployment, AnAnswerThatIsNoNumberIsTold) {
  model::Model root = model::dense_like();
  root.graph.initializers.clear();
  root.graph.nodes = {model::make_node("Sqrt", {"x"}, "y")};
  root.graph.outputs = {model::make_value("y", DataType::kFloat, {-1, 4})};
  const std::string path = save(std::move(root), "root.onnx");
  auto deployment = create(options());
  const auto run = [&](const std::vector<float>& x) {
    return deployment.run_inference(path, {{{"x", make_float_tensor({1, 4}, x)}}, {}});
  };
  const auto sound = run({1, 2, 3, 4});
  ASSERT_TRUE(sound.has_value()) << sound.error().to_string();
  EXPECT_TRUE(sound->decisions.empty());
  const auto broken = run({1, -2, 3, 4});
  ASSERT_TRUE(broken.has_value());
  ASSERT_EQ(broken->decisions.size(), 1u);
  EXPECT_EQ(broken->decisions[0].action, "warn");
  EXPECT_EQ(broken->decisions[0].subject, "y");
}

TEST_F(Deployment, ThePreparedModelLoadsAndAnswersLikeTheOriginal) {
  const std::string path = save(model::text_like(), "text.onnx");
  auto deployment = create(options());
  const auto prepared = deployment.prepare_model_for_deployment({.model_path = path,
                                                                 .output_path = "",
                                                                 .model_type = "TEXT",
                                                                 .quantization_method = "dynamic",
                                                                 .samples = {ids()},
                                                                 .sample_source = "one sentence"});
  ASSERT_TRUE(prepared.has_value()) << prepared.error().to_string();
  EXPECT_EQ(prepared->model_type, "text");
  EXPECT_EQ(prepared->accuracy.data, "one sentence");
  EXPECT_EQ(prepared->accuracy.samples, 1);
  LoadOptions load;
  load.model_path = prepared->output_model_path;
  const auto loaded = deployment.load_model(load);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  EXPECT_EQ(loaded->execution_provider, "cpu");
  const auto original = deployment.run_inference(path, ids());
  const auto answer = deployment.run_inference(prepared->output_model_path, ids());
  ASSERT_TRUE(original.has_value()) << original.error().to_string();
  ASSERT_TRUE(answer.has_value()) << answer.error().to_string();
  const auto expected = original->outputs.at("y").values<float>();
  const auto got = answer->outputs.at("y").values<float>();
  ASSERT_EQ(expected.size(), got.size());
  double error = 0;
  double norm = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    error += (expected[i] - got[i]) * (expected[i] - got[i]);
    norm += expected[i] * expected[i];
  }
  EXPECT_LT(error, norm * 1e-3);
  EXPECT_GT(error, 0) << "the quantized model is another one";
  EXPECT_TRUE(*deployment.unload_model(prepared->output_model_path));
  EXPECT_FALSE(*deployment.unload_model(prepared->output_model_path));
}

TEST_F(Deployment, TheResultHasTheKeysThatItsPageNames) {
  const std::string path = save(model::text_like(), "text.onnx");
  auto deployment = create(options());
  PrepareOptions prepare;
  prepare.model_path = path;
  const auto result = deployment.prepare_model_for_deployment(prepare);
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  const Json json = parsed(to_json(*result));
  std::vector<std::string> missing;
  const auto page = system_env().read_file(WATTWISE_SOURCE_DIR "/docs/formats/results.md");
  ASSERT_TRUE(page.has_value());
  for (const auto& [key, value] : json.items()) {
    if (page->find("`" + key + "`") == std::string::npos) missing.push_back(key);
  }
  EXPECT_EQ(missing, std::vector<std::string>()) << "not described";
  EXPECT_EQ(json["power_profile"], "BALANCED");
  EXPECT_EQ(json["deployment_target"], "ANDROID");
  const Json& figures = json["power_efficiency_metrics"];
  for (const auto& [id, figure] : json["provenance"].items()) {
    EXPECT_EQ(figure["value"], figures.at(id)) << id;
    EXPECT_EQ(figure["value"].is_null(), figure["origin"] == "absent") << id;
  }
}

TEST_F(Deployment, AnotherOneKnowsWhatTheFirstDid) {
  const std::string path = save(model::text_like(), "text.onnx");
  std::string output;
  {
    auto first = create(options());
    PrepareOptions prepare;
    prepare.model_path = path;
    const auto prepared = first.prepare_model_for_deployment(prepare);
    ASSERT_TRUE(prepared.has_value()) << prepared.error().to_string();
    output = prepared->output_model_path;
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(first.run_inference(output, ids()).has_value());
    ASSERT_TRUE(write_file_atomically(system_env(), at("models/broken.onnx"), "no model"));
    for (const char* name : {"models/broken.onnx", "models/none.onnx"}) {
      PrepareOptions wrong;
      wrong.model_path = at(name);
      ASSERT_FALSE(first.prepare_model_for_deployment(wrong).has_value());
    }
    const Json status = parsed(first.get_deployment_status());
    EXPECT_EQ(status["active_models_count"], 1);
    EXPECT_EQ(status["deployed_models"][output]["active"], true);
  }
  auto second = create(options());
  const Json status = parsed(second.get_deployment_status());
  EXPECT_EQ(status["active_models_count"], 0) << "it has loaded nothing itself";
  const Json& model = status["deployed_models"].at(output);
  EXPECT_EQ(model["status"], "ready");
  EXPECT_EQ(model["active"], false);
  EXPECT_EQ(model["preparation"]["input_model_path"], path);
  EXPECT_EQ(model["statistics"]["inference_count"], 3);
  EXPECT_GT(model["statistics"]["p50_inference_time_ms"].get<double>(), 0);
  EXPECT_EQ(parsed(second.get_deployment_status(path)), model) << "the original's path finds it";
  EXPECT_EQ(status["deployed_models_count"], 1);
  EXPECT_EQ(status["failed_models_count"], 1) << "a file that was never there is no model";
  EXPECT_EQ(parsed(second.get_deployment_status(at("models/broken.onnx")))["status"], "failed");
  const auto none = second.get_deployment_status(at("models/none.onnx"));
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code(), ErrorCode::kNotFound);
  const Json report = parsed(second.get_power_efficiency_report(output));
  const Json& facts = report["models"].at(output);
  EXPECT_EQ(facts["inference_count"], 3);
  EXPECT_EQ(facts["provenance"]["power_consumption_mw"]["origin"], "estimated");
  for (const char* format : {"markdown", "html"}) {
    const auto text = second.get_power_efficiency_report("", format);
    ASSERT_TRUE(text.has_value()) << text.error().to_string();
    std::string unescaped = *text;
    std::erase(unescaped, '\\');
    EXPECT_NE(unescaped.find(output), std::string::npos) << format;
  }
}

TEST_F(Deployment, WithoutLoggingTheDatabaseKnowsNothing) {
  const std::string off = R"({"monitoring": {"log_to_database": false}})";
  auto deployment = create(options(off));
  PrepareOptions prepare;
  prepare.model_path = save(model::text_like(), "text.onnx");
  ASSERT_TRUE(deployment.prepare_model_for_deployment(prepare).has_value());
  EXPECT_FALSE(system_env().stat(at("db")).has_value());
}

TEST_F(Deployment, LookingAtADatabaseThatIsNotThereCreatesNothing) {
  DeploymentOptions elsewhere = options();
  elsewhere.db_path = at("no/such/folder/db");
  auto deployment = create(elsewhere);
  EXPECT_EQ(parsed(deployment.get_deployment_status())["deployed_models_count"], 0);
  EXPECT_TRUE(parsed(deployment.get_power_efficiency_report())["models"].empty());
  EXPECT_EQ(deployment.get_deployment_status(at("m.onnx")).error().code(), ErrorCode::kNotFound);
  EXPECT_FALSE(system_env().stat(at("no")).has_value());
}

TEST_F(Deployment, NamesOfDevicesPassesAndTechniquesAreCheckedWhereTheyAreSet) {
  auto deployment = create(options());
  const std::string before = deployment.explain_config();
  for (const char* patch : {R"({"device": {"profile": "desktop_x87"}})",
                            R"({"optimization": {"disabled_passes": ["fuse_clap"]}})",
                            R"({"quantization": {"techniques": ["gpdq"]}})"}) {
    const auto refused = deployment.update_config(patch);
    ASSERT_FALSE(refused.has_value()) << patch;
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(refused.error().message().find("Did you mean"), std::string::npos);
    EXPECT_FALSE(PowerEfficientDeployment::create(options(patch)).has_value());
  }
  EXPECT_EQ(deployment.explain_config(), before);
}

TEST_F(Deployment, TheEnergyOfABatchCountsItsItemsAndNamesItsSizes) {
  const std::string path = save(model::text_like(), "text.onnx");
  auto deployment = create(options());
  const auto one = deployment.run_inference(path, ids());
  ASSERT_TRUE(one.has_value()) << one.error().to_string();
  InferenceInputs three;
  three.batch = {ids(), ids(), ids()};
  const auto batch = deployment.run_inference(path, three);
  ASSERT_TRUE(batch.has_value()) << batch.error().to_string();
  ASSERT_TRUE(one->energy_mj.value && batch->energy_mj.value);
  EXPECT_NEAR(*batch->energy_mj.value, 3 * *one->energy_mj.value, 1e-9);
  EXPECT_NE(one->energy_mj.method.find("one item of "), std::string::npos);
  EXPECT_NE(batch->energy_mj.method.find("3 items of "), std::string::npos);
}

TEST_F(Deployment, TheMemoryLimitUnloadsTheLongestIdleOrRefuses) {
  const std::string first = save(model::text_like(), "first.onnx");
  const std::string second = save(model::text_like(), "second.onnx");
  const auto bytes = static_cast<double>(system_env().stat(first)->size_bytes);
  const auto limit = [](double megabytes) {
    return fmt::format(R"({{"memory_optimization": {{"max_memory_mb": {}}}}})", megabytes);
  };
  auto deployment = create(options(limit(bytes * 1.5e-6)));
  ASSERT_TRUE(deployment.load_model({first, {}}).has_value());
  const auto loaded = deployment.load_model({second, {}});
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  ASSERT_FALSE(loaded->decisions.empty());
  EXPECT_EQ(loaded->decisions[0].action, "unload");
  EXPECT_EQ(loaded->decisions[0].subject, first);
  EXPECT_FALSE(*deployment.unload_model(first)) << "it is gone already";
  ASSERT_TRUE(deployment.update_config(limit(bytes * 0.5e-6)).has_value());
  const auto refused = deployment.load_model({first, {}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kExhausted);
}

TEST_F(Deployment, ALoaderIsRememberedOnceItHasWorked) {
  const std::string path = save(model::text_like(), "text.onnx");
  auto deployment = create(options());
  const auto failing = [](const std::string&) -> Result<std::any> {
    return Error(ErrorCode::kInternal, "no");
  };
  ASSERT_FALSE(deployment.load_model({path, failing}).has_value());
  EXPECT_TRUE(deployment.run_inference(path, ids()).has_value()) << "the built-in one still works";
  int calls = 0;
  const auto working = [&](const std::string&) -> Result<std::any> { return std::any(++calls); };
  ASSERT_TRUE(deployment.load_model({path, working}).has_value());
  ASSERT_FALSE(deployment.load_model({path, failing}).has_value());
  EXPECT_TRUE(*deployment.unload_model(path));
  ASSERT_TRUE(deployment.load_model({path, {}}).has_value());
  EXPECT_EQ(calls, 2);
}

TEST_F(Deployment, WrongQuestionsAreRefused) {
  DeploymentOptions wrong = options();
  wrong.power_profile = "balansed";
  const auto refused = PowerEfficientDeployment::create(wrong);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message().find("BALANCED"), std::string::npos);
  auto deployment = create(options());
  const auto unknown = deployment.get_deployment_status(at("models/unknown.onnx"));
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code(), ErrorCode::kNotFound);
  const auto format = deployment.get_power_efficiency_report("", "pdf");
  ASSERT_FALSE(format.has_value());
  EXPECT_EQ(format.error().code(), ErrorCode::kInvalidArgument);
  const std::string before = deployment.explain_config();
  const auto update = deployment.update_config(R"({"quantization": {"objektive": "size"}})");
  ASSERT_FALSE(update.has_value());
  EXPECT_NE(update.error().message().find("objective"), std::string::npos);
  EXPECT_EQ(deployment.explain_config(), before) << "nothing changes on error";
}

}  // namespace
}  // namespace wattwise::deploy
