// SPDX-License-Identifier: Apache-2.0
#include "device/estimator.h"

#include <gtest/gtest.h>

#include "core/embedded.h"
#include "core/text.h"

namespace wattwise::device {
namespace {

std::vector<DeviceProfile> builtin_devices() {
  std::vector<DeviceProfile> devices;
  for (const EmbeddedFile& file : embedded_files()) {
    if (!file.name.starts_with("devices/")) continue;
    const std::string id(file.name.substr(8, file.name.size() - 13));
    auto json = parse_json(file.content, file.name);
    EXPECT_TRUE(json.has_value()) << file.name;
    auto device = parse_device_profile(id, *json);
    EXPECT_TRUE(device.has_value()) << device.error().to_string();
    devices.push_back(std::move(*device));
  }
  return devices;
}

DeviceProfile simple_device() {
  DeviceProfile device;
  device.id = "simple";
  const auto exact = [](double value) { return Coefficient{value, value, value, "test"}; };
  device.idle_power_mw = exact(1000);
  device.active_power_mw = exact(2000);
  device.float_macs_per_second = {1e9, 0.5e9, 2e9, "test"};
  device.int8_macs_per_second = exact(4e9);
  device.memory_bytes_per_second = exact(1e9);
  device.node_overhead_us = exact(1);
  device.thermal_resistance_k_per_w = exact(10);
  device.hottest_zone = "cpu";
  device.zones = {{"cpu", {{"warning_c", 40}, {"critical_c", 60}, {"source", "test"}}}};
  device.battery_wh = 10;
  return device;
}

TEST(Estimator, EveryBuiltInDeviceFillsEveryFigure) {
  const auto devices = builtin_devices();
  EXPECT_GE(devices.size(), 6u);
  for (const DeviceProfile& device : devices) {
    const Figures figures = estimate(device, {{{1e8, 1e6, 1e5, false}}, 2e6, 1});
    EXPECT_EQ(figures.size(), 6u) << device.id;
    for (const auto& [id, figure] : figures) {
      ASSERT_TRUE(figure.value.has_value()) << device.id << " " << id;
      EXPECT_EQ(figure.origin, Origin::kEstimated);
      EXPECT_LE(*figure.low, *figure.value) << device.id << " " << id;
      EXPECT_GE(*figure.high, *figure.value) << device.id << " " << id;
    }
  }
}

TEST(Estimator, FollowsItsFormula) {
  // 1e9 MACs at 1e9 /s take 1 s, more than 1e6 bytes at 1e9 /s; the second node waits for memory.
  const Workload workload{{{1e9, 1e6, 0, false}, {1e6, 5e8, 5e8, true}}, 0, 0.1};
  const Figures figures = estimate(simple_device(), workload);
  EXPECT_NEAR(*figures.at("latency_ms").value, 2000.002, 1e-6);
  EXPECT_NEAR(*figures.at("energy_per_inference_mj").value, 2000 * 2.000002, 1e-6);
  EXPECT_NEAR(*figures.at("power_consumption_mw").value, 1000 + 0.1 * 4000.004, 1e-6);
  EXPECT_NEAR(*figures.at("battery_impact_percent_per_hour").value, 14.000004, 1e-6);
  EXPECT_NEAR(*figures.at("latency_ms").low, 1500.002, 1e-6);
  EXPECT_NEAR(*figures.at("latency_ms").high, 3000.002, 1e-6);
}

TEST(Estimator, ADeviceCannotRunMoreOftenThanItsLatencyAllows) {
  const Figures figures = estimate(simple_device(), {{{1e9, 0, 0, false}}, 0, 1000});
  EXPECT_NEAR(*figures.at("power_consumption_mw").value, 3000, 0.01);
}

TEST(Estimator, ReductionsCompareWithTheOriginal) {
  const Figures original = estimate(simple_device(), {{{1e9, 0, 0, false}}, 0, 1});
  Figures prepared = estimate(simple_device(), {{{1e9, 0, 0, true}}, 0, 1});
  add_reductions(prepared, original);
  EXPECT_NEAR(*prepared.at("energy_reduction_percent").value, 75, 0.01);
}

TEST(Estimator, WithoutABatteryTheImpactIsAbsent) {
  DeviceProfile device = simple_device();
  device.battery_wh.reset();
  const Figures figures = estimate(device, {{{1e9, 0, 0, false}}, 0, 1});
  EXPECT_EQ(figures.at("battery_impact_percent_per_hour").origin, Origin::kAbsent);
  EXPECT_FALSE(figures.at("battery_impact_percent_per_hour").value.has_value());
}

TEST(Estimator, RiskComparesTheSettledTemperatureWithTheZone) {
  const auto risk = [](double milliwatts) {
    return throttling_risk(simple_device(), Figure::estimated(milliwatts, 0, 0, "test")).level;
  };
  EXPECT_EQ(risk(1000), "low");
  EXPECT_EQ(risk(2000), "medium");
  EXPECT_EQ(risk(4000), "high");
}

TEST(Estimator, RefusesCoefficientsWithoutSourceOrOrder) {
  const auto parse = [](const char* coefficient) {
    const auto text = std::string(R"({"coefficients": {"idle_power_mw": )") + coefficient + "}}";
    return parse_device_profile("x", *parse_json(text, "x")).error().message();
  };
  EXPECT_NE(parse(R"({"value": 1, "low": 1, "high": 1})").find("source"), std::string::npos);
  EXPECT_NE(parse(R"({"value": 1, "low": 2, "high": 3, "source": "s"})").find("low <= value"),
            std::string::npos);
  EXPECT_NE(parse("3").find("missing"), std::string::npos);
}

}  // namespace
}  // namespace wattwise::device
