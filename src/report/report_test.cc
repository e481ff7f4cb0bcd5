// SPDX-License-Identifier: Apache-2.0
#include "report/report.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/embedded.h"
#include "report/comparison_chart.h"

namespace wattwise::report {
namespace {

Json metrics() {
  for (const EmbeddedFile& file : embedded_files()) {
    if (file.name == "metrics.json") return *parse_json(file.content, file.name);
  }
  return {};
}

ReportData sample() {
  ReportData data;
  data.timestamp = 1'700'000'000;
  data.config.deployment_target = "ANDROID";
  data.config.power_profile = "BALANCED";
  data.device_state = {{"battery", {{"level_percent", 15}, {"is_charging", false}}},
                       {"thermal", nullptr}};
  ModelReport model;
  model.path = "/models/<b>&\"x|y.onnx";
  model.model_type = "vision";
  model.status = "ready";
  model.quantization_method = "none";
  model.figures["power_consumption_mw"] = Figure::estimated(120, 80, 300, "device file x");
  model.figures["latency_ms"] = Figure::absent("never run");
  model.figures["size_reduction_ratio"] = Figure::measured(1.1, "file sizes");
  model.layers.push_back({"first", "w", "int8 per channel", 64, 40, "outlier channel 3 of 8", 12.5,
                          18.25, "kept in 16 bits"});
  data.models.push_back(model);
  data.recommendations = recommend(data);
  return data;
}

TEST(Report, EveryFormatCarriesTheSameFacts) {
  for (const FormatRow& format : format_table()) {
    const auto text = render(sample(), format.name, metrics());
    ASSERT_TRUE(text.has_value());
    for (const char* fact :
         {"ANDROID", "BALANCED", "2023-11-14T22:13:20Z", "120", "never run", "device file x", "15",
          "became only 1.10 times smaller", "18.25", "outlier channel 3 of 8", "kept in 16 bits"}) {
      EXPECT_NE(text->find(fact), std::string::npos) << format.name << " lacks " << fact;
    }
  }
}

TEST(Report, HtmlEscapesPaths) {
  const auto text = render(sample(), "html", metrics());
  EXPECT_EQ(text->find("<b>"), std::string::npos);
  EXPECT_NE(text->find("&lt;b&gt;&amp;&quot;x|y.onnx"), std::string::npos);
}

TEST(Report, MarkdownEscapesTableSigns) {
  const auto text = render(sample(), "markdown", metrics());
  EXPECT_NE(text->find("x\\|y.onnx"), std::string::npos);
}

TEST(Report, MarkdownEscapesOnlyWhatItWouldTakeForASign) {
  ReportData data = sample();
  data.models[0].path = "/m/a_b-{1}.onnx";
  data.recommendations = {{"_so_ it is", "a*b > c"}};
  const auto text = render(data, "markdown", metrics());
  EXPECT_NE(text->find("/m/a_b-{1}.onnx"), std::string::npos);
  EXPECT_NE(text->find("\\_so\\_ it is: a\\*b > c"), std::string::npos);
}

TEST(Report, LimitsThatFiguresExceedAreNamed) {
  ReportData data = sample();
  const auto titles = [&] {
    std::string all;
    for (const Recommendation& item : recommend(data))
      all += item.title + ": " + item.evidence + ";";
    return all;
  };
  data.models[0].figures["average_inference_time_ms"] = Figure::measured(30, "wall clock");
  const std::string before = titles();
  data.config.inference_optimization.latency_deadline_ms = 20;
  data.config.power_management.power_limit_mw = 100;
  data.config.power_management.energy_budget_wh = 1;
  data.config.power_management.target_hours = 10;
  for (const char* words : {"latency_deadline_ms is 20", "power_limit_mw of 100",
                            "1.2 Wh (estimated) in 10.0 h, energy_budget_wh is 1.0"}) {
    EXPECT_EQ(before.find(words), std::string::npos);
    EXPECT_NE(titles().find(words), std::string::npos) << words;
  }
}

TEST(Report, AnAbsentFigureIsNeverANumber) {
  const Json json = *parse_json(*render(sample(), "json", metrics()), "report");
  const Json& model = json["models"].front();
  EXPECT_TRUE(model["latency_ms"].is_null());
  EXPECT_EQ(model["provenance"]["latency_ms"]["origin"], "absent");
  EXPECT_EQ(model["provenance"]["power_consumption_mw"]["low"], 80);
}

TEST(Report, UnknownFormatNamesTheKnown) {
  const auto refused = render(sample(), "htm", metrics());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message(), "there is no report format \"htm\". Did you mean \"html\"?");
}

TEST(Report, RecommendationsNeedEvidence) {
  ReportData data = sample();
  data.device_state["battery"]["is_charging"] = true;
  data.models[0].quantization_method = "int4";
  data.models[0].figures["size_reduction_ratio"] = Figure::measured(4, "file sizes");
  EXPECT_TRUE(recommend(data).empty());
  EXPECT_EQ(recommend(sample()).size(), 3u);
}

TEST(ComparisonChart, DrawsEachValueAndEachTime) {
  ComparisonChart chart{"a<b>.onnx", "b.onnx", {}, {1, 1, 2}, {3}};
  chart.values = {{"x&y", "Conv", 0}, {"z", "Relu", 0.5}, {"n", "Log", std::nan("")}};
  const std::string svg = render_svg(chart);
  const auto count = [&](std::string_view part) {
    size_t found = 0;
    for (size_t at = svg.find(part); at != std::string::npos; at = svg.find(part, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("<circle"), 3u);
  EXPECT_EQ(count("class=\"bar first\""), 2u) << "times of 1 and 2 ms";
  EXPECT_EQ(count("class=\"bar second\""), 1u);
  EXPECT_EQ(count("=\"nan\""), 0u);
  EXPECT_EQ(count("a&lt;b&gt;.onnx"), 2u) << "title and legend";
  EXPECT_EQ(count("<title>x&amp;y (Conv): 0</title>"), 1u);
  const std::string page = render_page(chart);
  EXPECT_NE(page.find(svg), std::string::npos);
  EXPECT_NE(page.find("<tr><td>z</td><td>Relu</td><td>0.5</td></tr>"), std::string::npos);
}

}  // namespace
}  // namespace wattwise::report
