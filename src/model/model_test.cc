// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "core/memory_env.h"
#include "model/graph_edit.h"
#include "model/inspect.h"
#include "model/integer_inputs.h"
#include "model/load.h"
#include "model/save.h"
#include "model/test_models.h"
#include "model/walk.h"

namespace wattwise::model {
namespace {

Value float_value(std::string name, const std::vector<int64_t>& shape) {
  return make_value(std::move(name), DataType::kFloat, shape);
}

Node node(std::string op, std::vector<std::string> inputs, std::vector<std::string> outputs) {
  Node out;
  out.name = op + "_node";
  out.op_type = std::move(op);
  out.inputs = std::move(inputs);
  out.outputs = std::move(outputs);
  return out;
}

/// MatMul with an initializer, then an If whose branches hold a Constant each.
Model sample() {
  Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 17}, {"com.example", 3}};
  model.metadata = {{"author", "someone"}};
  model.unknown = std::string("\xd2\x3e\x03xyz", 6);  // field 1002, unknown to any version
  model.graph.name = "main";
  model.graph.inputs = {float_value("x", {1, 4}), float_value("c", {})};
  model.graph.inputs[1].type = DataType::kBool;
  model.graph.outputs = {float_value("y", {1, 2})};
  const std::vector<float> weights = {1, 2, 3, 4, 5, 6, 7, 8};
  model.graph.initializers = {make_float_constant("w", {4, 2}, weights)};
  model.graph.nodes = {node("MatMul", {"x", "w"}, {"h"})};
  Node branch = node("If", {"c"}, {"y"});
  for (const char* name : {"then_branch", "else_branch"}) {
    auto inner = std::make_shared<Graph>();
    inner->name = name;
    Node constant = node("Constant", {}, {std::string(name) + "_k"});
    const std::vector<float> value = {0.5F, 1.5F};
    constant.set_attribute("value",
                           std::make_shared<Constant>(make_float_constant("", {2}, value)));
    inner->nodes = {constant,
                    node("Add", {"h", std::string(name) + "_k"}, {std::string(name) + "_y"})};
    inner->outputs = {float_value(std::string(name) + "_y", {1, 2})};
    branch.set_attribute(name, inner);
  }
  model.graph.nodes.push_back(branch);
  return model;
}

Bytes bytes_of(const Model& model) { return Bytes::own(*serialize(model)); }

TEST(Model, WritesWhatItReadByteForByte) {
  const std::string first = *serialize(sample());
  auto again = parse(Bytes::own(first), "sample");
  ASSERT_TRUE(again.has_value()) << again.error().to_string();
  EXPECT_EQ(*serialize(*again), first);
  EXPECT_EQ(again->metadata[0].second, "someone");
  EXPECT_EQ(again->unknown, sample().unknown);
  EXPECT_TRUE(verify(*again).has_value());
}

TEST(Model, WeightsAreViewsOfTheFile) {
  const Bytes file = bytes_of(sample());
  const auto model = parse(file, "sample");
  const std::byte* weights = model->graph.initializers[0].data.data();
  EXPECT_GE(weights, file.data());
  EXPECT_LT(weights, file.data() + file.size());
}

TEST(Model, ConstantsOfAllScopesAreFound) {
  Model model = sample();
  const ConstantIndex index(model.graph);
  EXPECT_EQ(index.entries().size(), 3u);
  const auto& branch = std::get<std::shared_ptr<Graph>>(model.graph.nodes[1].attributes[0].value);
  EXPECT_NE(index.find(*branch, "w"), nullptr) << "an inner graph sees outer constants";
  EXPECT_NE(index.find(*branch, "then_branch_k"), nullptr);
  EXPECT_EQ(index.find(model.graph, "then_branch_k"), nullptr) << "not the other way round";
  EXPECT_EQ(index.find(model.graph, "x"), nullptr);
}

TEST(Model, CostsFollowTheShapes) {
  ShapeTable shapes = {{"x", {DataType::kFloat, {1, 4}}}, {"h", {DataType::kFloat, {1, 2}}}};
  const Inspection inspection = inspect(sample(), shapes);
  EXPECT_EQ(inspection.macs, 8);
  EXPECT_EQ(inspection.parameters, 8 + 2 + 2);
  EXPECT_EQ(inspection.weight_bytes, 48);
  EXPECT_EQ(inspection.graph_count, 3);
}

TEST(Model, BrokenGraphsAreNamed) {
  Model cycle = sample();
  cycle.graph.nodes.push_back(node("Add", {"b", "h"}, {"a"}));
  cycle.graph.nodes.push_back(node("Add", {"a", "h"}, {"b"}));
  EXPECT_EQ(verify(cycle).error().code(), ErrorCode::kCorrupt);
  EXPECT_NE(sort_nodes(cycle.graph).error().message().find("cycle"), std::string::npos);
  Model twice = sample();
  twice.graph.nodes.push_back(node("Relu", {"x"}, {"h"}));
  EXPECT_NE(verify(twice).error().message().find("second time"), std::string::npos);
}

TEST(Model, SortingTellsWhetherANodeMoved) {
  Model model = sample();
  const std::string before = *serialize(model);
  EXPECT_FALSE(*sort_nodes(model.graph));
  EXPECT_EQ(*serialize(model), before);
  std::reverse(model.graph.nodes.begin(), model.graph.nodes.end());
  EXPECT_TRUE(*sort_nodes(model.graph));
  EXPECT_EQ(*serialize(model), before);
  auto& branch = *std::get<std::shared_ptr<Graph>>(model.graph.nodes[1].attributes[0].value);
  const std::string made = branch.nodes[0].outputs[0];
  branch.nodes.insert(branch.nodes.begin(), node("Exp", {made}, {"later"}));
  EXPECT_TRUE(*sort_nodes(model.graph)) << "inside a branch";
  EXPECT_EQ(branch.nodes[0].outputs[0], made);
}

TEST(Model, ReadersOfOneValueAreCountedAsThoseOfAll) {
  const Model model = sample();
  const auto all = count_uses(model.graph);
  for (const char* name : {"x", "w", "h", "y", "then_branch_k", "nothing"}) {
    const auto it = all.find(name);
    EXPECT_EQ(count_uses(model.graph, name), it == all.end() ? 0 : it->second) << name;
  }
}

TEST(Model, RemovesOnlyWhatNothingReads) {
  Model model = sample();
  model.graph.nodes.push_back(node("Exp", {"x"}, {"unused"}));
  const std::vector<float> value = {1};
  model.graph.initializers.push_back(make_float_constant("spare", {1}, value));
  EXPECT_EQ(remove_unused(model.graph), 2);
  EXPECT_EQ(remove_unused(model.graph), 0);
  EXPECT_EQ(model.graph.nodes.size(), 2u);
}

/// /m/model.onnx, whose constant of a thousand times 2.5 lies in /m/model.data.
void save_with_data_file(MemoryEnv& env) {
  Model model = sample();
  const std::vector<float> many(1000, 2.5F);
  model.graph.initializers.push_back(make_float_constant("big", {1000}, many));
  ASSERT_TRUE(env.create_directories("/m").has_value());
  ASSERT_TRUE(save(env, model, "/m/model.onnx", "model.data").has_value());
}

TEST(Model, LargeConstantsMayLieInAFileBesideTheModel) {
  MemoryEnv env;
  save_with_data_file(env);
  const auto again = load(env, "/m/model.onnx");
  ASSERT_TRUE(again.has_value()) << again.error().to_string();
  const Tensor weights = again->graph.initializers[1].tensor();
  EXPECT_EQ(weights.values<float>()[999], 2.5F);
}

TEST(Model, ElementsCanBeReadWhereverTheFileHasThem) {
  Constant constant = make_float_constant("w", {2}, std::vector<float>{1.5F, -2});
  std::string shifted = "?" + std::string(constant.data.as_text());
  constant.data = Bytes::own(std::move(shifted)).slice(1, 8);
  const Tensor tensor = constant.tensor();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data.data()) % alignof(float), 0u);
  EXPECT_EQ(tensor.values<float>()[0], 1.5F);
  EXPECT_EQ(tensor.values<float>()[1], -2.0F);
  EXPECT_EQ(constant.tensor_as_stored().data.data(), constant.data.data());
}

TEST(Model, DataFilesOutsideTheFolderAreRefused) {
  MemoryEnv env;
  save_with_data_file(env);
  std::string text = *env.read_file("/m/model.onnx");
  const size_t at = text.find("model.data");
  text.replace(at, 10, "/etc/passw");
  env.put_file("/etc/passw", "secret");
  env.put_file("/m/model.onnx", text);
  EXPECT_EQ(load(env, "/m/model.onnx").error().code(), ErrorCode::kCorrupt);
}

TEST(Model, ADataFileThatCannotBeReadDoesNotMakeTheModelDamaged) {
  MemoryEnv env;
  save_with_data_file(env);
  ASSERT_TRUE(env.remove("/m/model.data").has_value());
  EXPECT_EQ(load(env, "/m/model.onnx").error().code(), ErrorCode::kCorrupt) << "a part is missing";
  ASSERT_TRUE(env.create_directories("/m/model.data").has_value());
  const auto unread = load(env, "/m/model.onnx");
  ASSERT_FALSE(unread.has_value());
  EXPECT_NE(unread.error().code(), ErrorCode::kCorrupt) << unread.error().to_string();
  EXPECT_NE(unread.error().message().find("/m/model.data"), std::string::npos);
}

TEST(Model, ConstantsHoldWhatTheirShapesNeed) {
  // The last is one that no row of ours knows: int2.
  for (const int32_t type : {1, 8, 16, 22, 26}) {
    for (const std::vector<int64_t>& shape : {std::vector<int64_t>{4, 2}, {4, 0}}) {
      Model model = sample();
      Constant constant;
      constant.name = "hollow";
      constant.type = static_cast<DataType>(type);
      constant.shape = shape;
      model.graph.initializers.push_back(constant);
      const auto read = parse(bytes_of(model), "test");
      EXPECT_EQ(read.has_value(), shape[1] == 0) << type;
      EXPECT_EQ(verify(model).has_value(), shape[1] == 0) << type;
      if (read) continue;
      EXPECT_EQ(read.error().code(), ErrorCode::kCorrupt);
      EXPECT_NE(read.error().message().find("\"hollow\": it holds 0"), std::string::npos);
    }
  }
}

TEST(Model, NestingWithoutEndIsRefused) {
  Model model = sample();
  for (int depth = 0; depth < 100; ++depth) {
    auto inner = std::make_shared<Graph>(model.graph);
    model.graph = Graph{};
    Node branch = node("If", {"c"}, {"y"});
    branch.set_attribute("then_branch", inner);
    model.graph.nodes = {branch};
  }
  const auto refused = parse(bytes_of(model), "deep");
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message().find("nested deeper"), std::string::npos);
}

TEST(Model, MutatedFilesGiveOneLineOrAWorkingModel) {
  const std::string original = *serialize(sample());
  std::mt19937 random(7);  // its numbers are fixed by the standard
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string mutated = original;
    for (uint32_t flips = random() % 4 + 1; flips > 0; --flips) {
      mutated[random() % mutated.size()] = static_cast<char>(random());
    }
    if (i % 5 == 0) mutated.resize(random() % mutated.size() + 1);
    const auto model = parse(Bytes::own(mutated), "mutated");
    if (!model) {
      ++refused;
      EXPECT_EQ(model.error().to_string().find('\n'), std::string::npos);
      continue;
    }
    if (!verify(*model)) ++refused;
    EXPECT_TRUE(serialize(*model).has_value());
    EXPECT_GE(inspect(*model, {}).node_count, 0);
  }
  EXPECT_GT(refused, 200) << "the mutations are too tame to prove anything";
}

/// y = x w, with all shapes known.
Model product() {
  Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 17}, {"my", 1}};
  model.graph.name = "main";
  model.graph.inputs = {float_value("x", {1, 4})};
  model.graph.outputs = {float_value("y", {1, 2})};
  const std::vector<float> weights(8, 1);
  model.graph.initializers = {make_float_constant("w", {4, 2}, weights)};
  model.graph.nodes = {node("MatMul", {"x", "w"}, {"y"})};
  return model;
}
const ShapeTable kProductShapes = {{"x", {DataType::kFloat, {1, 4}}},
                                   {"y", {DataType::kFloat, {1, 2}}}};

TEST(Inspect, WorkInALoopCountsOnceAndIsReported) {
  Model model = product();
  EXPECT_EQ(inspect(model, kProductShapes).nodes_in_loops, 0);
  auto body = std::make_shared<Graph>();
  body->name = "body";
  body->nodes = std::move(model.graph.nodes);
  body->outputs = model.graph.outputs;
  Node loop = node("Loop", {"", "", "x"}, {"out"});
  loop.set_attribute("body", body);
  model.graph.nodes = {loop};
  const Inspection inspection = inspect(model, kProductShapes);
  EXPECT_EQ(inspection.macs, 8);
  EXPECT_EQ(inspection.nodes_in_loops, 1);
  EXPECT_EQ(inspection.nodes_without_shape, 0);
}

TEST(Inspect, ACallOfAFunctionThatMultipliesIsNotTakenForNothing) {
  // FunctionProto: name (1) "Lin" or "Act", node (7) with op_type (4), domain (10) "my".
  const std::string lin("\x0a\x03Lin\x3a\x08\x22\x06MatMul\x52\x02my");
  const std::string act(
      "\x0a\x03"
      "Act\x3a\x06\x22\x04Relu\x52\x02my");
  Model model = product();
  model.functions = {{lin}, {act}};
  model.graph.nodes = {node("Lin", {"x", "w"}, {"h"}), node("Act", {"h"}, {"y"})};
  for (Node& call : model.graph.nodes) call.domain = "my";
  const auto read = parse(bytes_of(model), "functions");
  ASSERT_TRUE(read.has_value()) << read.error().to_string();
  EXPECT_EQ(read->functions[0].bytes, lin);
  const Inspection inspection = inspect(*read, kProductShapes);
  EXPECT_EQ(inspection.nodes_without_shape, 1);
  EXPECT_FALSE(inspection.nodes[0].macs.has_value());
  EXPECT_EQ(inspection.nodes[1].macs, 0);
}

TEST(CheckPorts, OnlyTensorsMayComeInOrGoOut) {
  Model model = sample();
  EXPECT_TRUE(check_ports(model).has_value());
  model.graph.outputs[0].raw_type = "\x22\x04\x0a\x02\x08\x01";  // sequence(tensor(float))
  const auto refused = check_ports(model);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message().find("the output \"y\" is a sequence"), std::string::npos);
}

TEST(IntegerInputs, IdsStayBelowTheRowsOfTheSmallestTable) {
  Model model = text_like();
  EXPECT_EQ(index_limits(model), (std::map<std::string, int64_t>{{"ids", 200}}));
  model.graph.initializers.push_back(make_float_constant("kinds", {3, 64}, random_floats(192, 9)));
  model.graph.nodes.push_back(make_node("Cast", {"ids"}, "cast"));
  model.graph.nodes.back().set_attribute("to", static_cast<int64_t>(DataType::kInt32));
  model.graph.nodes.push_back(make_node("Gather", {"kinds", "cast"}, "kind"));
  EXPECT_EQ(index_limits(model), (std::map<std::string, int64_t>{{"ids", 3}}));
}

}  // namespace
}  // namespace wattwise::model
