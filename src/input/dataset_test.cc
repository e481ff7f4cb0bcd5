// SPDX-License-Identifier: Apache-2.0
#include "input/dataset.h"

#include <gtest/gtest.h>

#include "core/memory_env.h"
#include "input/array_file.h"
#include "input/labels.h"
#include "input/test_fixtures.h"

namespace wattwise::input {
namespace {

const std::vector<PortInfo> kVector = {port("x", DataType::kFloat, {-1, 4})};

class Samples : public ::testing::Test {
 protected:
  Dataset open(const std::string& path, const std::vector<PortInfo>& ports = kVector) {
    auto made = Dataset::open(env_, path, ports);
    EXPECT_TRUE(made.has_value()) << made.error().to_string();
    return made ? std::move(*made) : Dataset(0, {});
  }
  std::string refusal(const std::string& path, ErrorCode code = ErrorCode::kInvalidArgument) {
    return failure(Dataset::open(env_, path, kVector), code);
  }
  void put_array(const std::string& path, const Tensor& array) {
    ASSERT_TRUE(write_npy(env_, path, array).has_value());
  }
  void put_arrays(const std::string& path, const TensorMap& arrays) {
    ASSERT_TRUE(env_.create_directories(parent_path(path)).has_value());
    const auto written = write_npz(env_, path, arrays);
    ASSERT_TRUE(written.has_value()) << written.error().to_string();
  }
  static Tensor row(float first, std::vector<int64_t> shape = {4}) {
    return make_tensor<float>(DataType::kFloat, std::move(shape), {first, 1, 2, 3});
  }
  static Tensor grid(std::vector<int64_t> shape) {
    Tensor tensor{DataType::kFloat, std::move(shape), {}, {}};
    std::vector<float> values(static_cast<size_t>(tensor.element_count()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    tensor.data = Bytes::copy_of(std::span<const float>(values));
    return tensor;
  }
  static const Tensor& array_of(const RawSample& sample, size_t index = 0) {
    return std::get<Tensor>(sample.inputs.values.at(index).second);
  }
  static std::string text_of(const RawSample& sample) {
    return std::get<std::string>(sample.inputs.values.at(0).second);
  }

  MemoryEnv env_;
};

TEST_F(Samples, AreTheFilesOfAFolderInTheOrderOfTheirNames) {
  env_.put_file("/d/b.png", fixture_content("picture.png"));
  put_array("/d/a.npy", row(7));
  env_.put_file("/d/c.txt", "a text\n");
  env_.put_file("/d/.hidden", "nothing");
  const Dataset data = open("/d");
  ASSERT_EQ(data.size(), 3u);
  EXPECT_EQ(text_of(*data.read(0)), "/d/a.npy");
  EXPECT_EQ(text_of(*data.read(1)), "/d/b.png");
  EXPECT_EQ(data.read(2)->inputs.values[0].first, "text");
  EXPECT_EQ(text_of(*data.read(2)), "a text\n");
  EXPECT_TRUE(data.read(0)->labels.empty());
}

TEST_F(Samples, OfArchivesAreNamedArraysAndTheirLabels) {
  put_arrays("/d/1.npz",
             {{"x", row(5)}, {"label", make_int64_tensor({}, std::vector<int64_t>{3})}});
  const Dataset data = open("/d");
  const RawSample sample = *data.read(0);
  ASSERT_EQ(sample.inputs.values.size(), 1u);
  EXPECT_EQ(sample.inputs.values[0].first, "x");
  EXPECT_EQ(array_of(sample).values<float>()[0], 5);
  EXPECT_EQ(sample.labels, std::vector<double>{3});
  const Dataset input_of_that_name =
      open("/d", {port("x", DataType::kFloat, {-1, 4}), port("label", DataType::kInt64, {})});
  EXPECT_EQ(input_of_that_name.read(0)->inputs.values.size(), 2u);
  EXPECT_TRUE(input_of_that_name.read(0)->labels.empty());
}

TEST_F(Samples, TakeTheirLabelsFromATableBesideThem) {
  put_array("/d/a.npy", row(1));
  put_array("/d/b,1.npy", row(2));
  env_.put_file("/d/labels.csv", "file,class\r\n\"b,1.npy\",spam\r\na.npy,ham\r\n");
  const Dataset data = open("/d");
  ASSERT_EQ(data.size(), 2u);
  EXPECT_EQ(data.class_names(), (std::vector<std::string>{"ham", "spam"}));
  EXPECT_EQ(data.read(0)->labels, std::vector<double>{0});
  EXPECT_EQ(data.read(1)->labels, std::vector<double>{1});
  env_.put_file("/d/labels.csv", "a.npy,0\n");
  EXPECT_CONTAINS(refusal("/d"), "/d/labels.csv: b,1.npy has no label");
  env_.put_file("/d/labels.csv", "a.npy,0\nz.npy,1\n");
  EXPECT_CONTAINS(refusal("/d"), "there is no sample z.npy");
  env_.put_file("/d/labels.txt", "a.npy 0\n");
  EXPECT_CONTAINS(refusal("/d"), "labels.csv and labels.txt: keep one");
}

TEST_F(Samples, InClassFoldersHaveTheFoldersAsLabels) {
  for (const char* name : {"/d/10/a.npy", "/d/2/a.npy", "/d/2/b.npy"}) put_array(name, row(1));
  const Dataset numbered = open("/d");
  ASSERT_EQ(numbered.size(), 3u);
  EXPECT_EQ(numbered.read(0)->labels, std::vector<double>{10});
  EXPECT_EQ(numbered.read(2)->labels, std::vector<double>{2});
  put_array("/e/dog/a.npy", row(1));
  put_array("/e/cat/a.npy", row(1));
  const Dataset named = open("/e");
  EXPECT_EQ(named.class_names(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(named.read(1)->labels, std::vector<double>{1});
  put_array("/e/a.npy", row(1));
  EXPECT_CONTAINS(refusal("/e"), "/e holds files and folders");
}

TEST_F(Samples, AreTheLinesOfATextFile) {
  env_.put_file("/t.txt", "\xef\xbb\xbfone, two\r\n\n three\n");
  const Dataset lines = open("/t.txt");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(text_of(*lines.read(0)), "one, two");
  EXPECT_EQ(text_of(*lines.read(1)), "three");
  EXPECT_TRUE(lines.read(0)->labels.empty());
  env_.put_file("/t.tsv", "one, two\t1\nthree\t0\n");
  EXPECT_EQ(text_of(*open("/t.tsv").read(0)), "one, two");
  EXPECT_EQ(open("/t.tsv").read(1)->labels, std::vector<double>{0});
  env_.put_file("/t.csv", "label,id,sentence\nspam,1,\"say \"\"hi\"\", now\"\nham,2,no\n");
  const Dataset table = open("/t.csv");
  EXPECT_EQ(text_of(*table.read(0)), "say \"hi\", now");
  EXPECT_EQ(table.read(0)->labels, std::vector<double>{1});
  env_.put_file("/t.csv", "a,b,c\n");
  EXPECT_CONTAINS(refusal("/t.csv"), "/t.csv has 3 columns: name them");
  env_.put_file("/t.tsv", "a\t0\nb\n");
  EXPECT_CONTAINS(refusal("/t.tsv"), "the line \"b\" has 1 columns, not 2");
  env_.put_file("/t.txt", " \n");
  EXPECT_CONTAINS(refusal("/t.txt"), "/t.txt holds no text");
}

TEST_F(Samples, AreTheRowsOfAnArray) {
  put_array("/x.npy", grid({3, 4}));
  const Dataset batch = open("/x.npy");
  ASSERT_EQ(batch.size(), 3u);
  EXPECT_EQ(array_of(*batch.read(2)).shape, (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(array_of(*batch.read(2)).values<float>()[0], 8);
  put_array("/y.npy", grid({3, 1, 4}));
  EXPECT_EQ(array_of(*open("/y.npy").read(1)).shape, (std::vector<int64_t>{1, 4}));
  put_array("/z.npy", row(0));
  EXPECT_EQ(open("/z.npy").size(), 1u);
  const std::vector<PortInfo> fixed = {port("x", DataType::kFloat, {3, 4})};
  EXPECT_EQ(open("/x.npy", fixed).size(), 1u) << "the model's own batch of 3";
  put_array("/w.npy", grid({3, 5}));
  EXPECT_CONTAINS(refusal("/w.npy"), "/w.npy: the array float [3, 5]");
  put_array("/x_labels.npy", make_int64_tensor({3}, std::vector<int64_t>{2, 1, 0}));
  EXPECT_EQ(open("/x.npy").read(2)->labels, std::vector<double>{0});
  put_array("/x_labels.npy", make_int64_tensor({2}, std::vector<int64_t>{2, 1}));
  EXPECT_CONTAINS(refusal("/x.npy"), "/x_labels.npy holds 2 labels for 3 samples");
}

TEST_F(Samples, OfPicturesInOneArrayAreSingleOnes) {
  const std::vector<PortInfo> image = {port("image", DataType::kFloat, {1, 3, -1, -1})};
  const auto bytes = [](std::vector<int64_t> shape) {
    Tensor tensor{DataType::kUint8, std::move(shape), {}, {}};
    tensor.data = Bytes::own(std::vector<std::byte>(static_cast<size_t>(tensor.element_count())));
    return tensor;
  };
  put_array("/many.npy", bytes({2, 8, 9, 3}));
  EXPECT_EQ(array_of(*open("/many.npy", image).read(1)).shape, (std::vector<int64_t>{8, 9, 3}));
  put_array("/gray.npy", bytes({5, 8, 9}));
  EXPECT_EQ(open("/gray.npy", image).size(), 5u);
  put_array("/one.npy", bytes({8, 9, 3}));
  EXPECT_EQ(open("/one.npy", image).size(), 1u);
}

TEST_F(Samples, OfAnArchiveAreRowsOfAllItsArrays) {
  const std::vector<PortInfo> ports = {port("x", DataType::kFloat, {-1, 4}),
                                       port("sr", DataType::kInt64, {})};
  const Tensor rate = make_int64_tensor({}, std::vector<int64_t>{8000});
  const Tensor labels = make_int64_tensor({2, 3}, std::vector<int64_t>{1, 2, 3, 4, 5, 6});
  put_arrays("/d.npz", {{"x", grid({2, 4})}, {"sr", rate}, {"labels", labels}});
  const Dataset data = open("/d.npz", ports);
  ASSERT_EQ(data.size(), 2u);
  const RawSample sample = *data.read(1);
  EXPECT_EQ(sample.inputs.values[0].first, "sr");
  EXPECT_EQ(array_of(sample, 0).values<int64_t>()[0], 8000);
  EXPECT_EQ(array_of(sample, 1).values<float>()[0], 4);
  EXPECT_EQ(sample.labels, (std::vector<double>{4, 5, 6})) << "a label for each decision";
  put_arrays("/e.npz",
             {{"x", grid({2, 4})}, {"sr", make_int64_tensor({3}, std::vector<int64_t>{1, 2, 3})}});
  EXPECT_CONTAINS(failure(Dataset::open(env_, "/e.npz", ports), ErrorCode::kInvalidArgument),
                  "give every input as many");
}

TEST_F(Samples, ThatCannotBeAreRefusedByName) {
  EXPECT_CONTAINS(refusal("/none", ErrorCode::kNotFound), "no file or folder of samples /none");
  ASSERT_TRUE(env_.create_directories("/empty").has_value());
  EXPECT_CONTAINS(refusal("/empty"), "the folder /empty holds no samples");
  put_array("/d/a.npy", row(1));
  env_.put_file("/d/notes.md", "# notes");
  EXPECT_CONTAINS(refusal("/d", ErrorCode::kUnsupported), "/d/notes.md is no array");
}

}  // namespace
}  // namespace wattwise::input
