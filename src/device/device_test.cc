// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "core/memory_env.h"
#include "device/doctor.h"
#include "device/process_memory.h"
#include "device/snapshot.h"
#include "device/thermal_bands.h"

namespace wattwise::device {
namespace {

void add_zone(MemoryEnv& env, const std::string& number, const std::string& type,
              const std::string& temperature) {
  const std::string path = "/sys/class/thermal/thermal_zone" + number;
  env.put_file(path + "/type", type + "\n");
  env.put_file(path + "/temp", temperature + "\n");
}

MemoryEnv& phone() {
  static MemoryEnv env;
  add_zone(env, "0", "cpu-0-0", "45000");
  add_zone(env, "7", "skin-therm", "41500");
  const std::string battery = "/sys/class/power_supply/battery/";
  env.put_file(battery + "type", "Battery\n");
  env.put_file(battery + "capacity", "63\n");
  env.put_file(battery + "status", "Discharging\n");
  env.put_file(battery + "charge_full", "5000000\n");
  env.put_file(battery + "voltage_min_design", "3850000\n");
  env.put_file(battery + "current_now", "-400000\n");
  env.put_file(battery + "voltage_now", "4000000\n");
  env.put_file("/sys/class/power_supply/stylus/type", "Battery\n");
  env.put_file("/sys/class/power_supply/stylus/scope", "Device\n");
  env.put_file("/proc/meminfo", "MemTotal:  8000000 kB\nMemAvailable: 3000000 kB\n");
  env.put_file("/proc/cpuinfo", "processor : 0\nFeatures : fp asimd asimddp\nprocessor : 1\n");
  return env;
}

TEST(Device, ReadsAPhone) {
  const DeviceSnapshot snapshot = take_snapshot(phone(), "");
  ASSERT_EQ(snapshot.thermal_zones.size(), 2u);
  EXPECT_EQ(snapshot.thermal_zones[0].temperature, Celsius(45));
  ASSERT_EQ(snapshot.batteries.size(), 1u) << "a stylus is no battery of the phone";
  EXPECT_EQ(snapshot.batteries[0].level_percent, 63);
  EXPECT_EQ(snapshot.batteries[0].is_charging, false);
  EXPECT_NEAR(snapshot.batteries[0].capacity->count(), 19.25, 1e-9);
  EXPECT_NEAR(snapshot.batteries[0].power->count(), 1600, 1e-9);
  EXPECT_EQ(snapshot.memory.total_bytes, 8000000ull * 1024);
  EXPECT_EQ(snapshot.cpu.logical_cores, 2);
  EXPECT_EQ(snapshot.cpu.isa, (std::vector<std::string>{"asimd", "asimddp"}));
}

TEST(Device, AnEmptyMachineHasNothing) {
  MemoryEnv env;
  const DeviceSnapshot snapshot = take_snapshot(env, "");
  EXPECT_TRUE(snapshot.thermal_zones.empty());
  EXPECT_TRUE(snapshot.batteries.empty());
  EXPECT_FALSE(snapshot.memory.total_bytes.has_value());
  for (const Finding& finding : diagnose(env, "")) {
    EXPECT_FALSE(finding.available) << finding.subject;
    EXPECT_FALSE(finding.unlock.empty()) << finding.subject;
  }
}

TEST(Device, AnUnreadableSensorIsAbsentAndTheDoctorSaysWhy) {
  MemoryEnv env;
  env.put_file("/sys/class/powercap/intel-rapl:0/name", "package-0\n");
  env.put_unreadable_file("/sys/class/powercap/intel-rapl:0/energy_uj");
  const auto snapshot = take_snapshot(env, "");
  ASSERT_EQ(snapshot.energy_counters.size(), 1u);
  EXPECT_FALSE(snapshot.energy_counters[0].energy.has_value());
  bool found = false;
  for (const Finding& finding : diagnose(env, "")) {
    found =
        found || finding.unlock == "read permission on /sys/class/powercap/intel-rapl:0/energy_uj";
  }
  EXPECT_TRUE(found);
}

TEST(Device, GarbageInAReadingIsAbsent) {
  MemoryEnv env;
  add_zone(env, "0", "cpu", "warm");
  EXPECT_FALSE(take_snapshot(env, "").thermal_zones[0].temperature.has_value());
}

Json zones() {
  return {{"cpu", {{"warning_c", 70}, {"critical_c", 85}}},
          {"skin", {{"warning_c", 40}, {"critical_c", 45}}}};
}

std::string status_at(double celsius, std::string_view policy = "default") {
  return assess({{"cpu", "", Celsius(celsius), {}, {}}}, zones(), policy).status;
}

TEST(ThermalBands, FollowTheirLimits) {
  EXPECT_EQ(status_at(69.9), "NORMAL");
  EXPECT_EQ(status_at(70), "WARNING");
  EXPECT_EQ(status_at(77.5), "THROTTLING");
  EXPECT_EQ(status_at(85), "CRITICAL");
  EXPECT_EQ(status_at(90), "EMERGENCY");
  EXPECT_EQ(status_at(66, "battery_saving"), "WARNING");
  EXPECT_EQ(status_at(74, "performance"), "NORMAL");
}

TEST(ThermalBands, TheWorstZoneDecidesAndThePolicyMapsTheLevel) {
  const std::vector<ThermalZone> both = {{"cpu", "", Celsius(30), {}, {}},
                                         {"skin-therm", "", Celsius(43), {}, {}}};
  const auto assessment = assess(both, zones(), "battery_saving");
  EXPECT_EQ(assessment.status, "CRITICAL") << "43 deg C against 40 - 5 and 45 - 5";
  EXPECT_EQ(assessment.level, 4);
  EXPECT_EQ(assess(both, zones(), "default").level, 2);
}

TEST(ThermalBands, TheKernelsTripPointsWin) {
  const std::vector<ThermalZone> zone = {{"cpu", "", Celsius(90), Celsius(95), Celsius(105)}};
  EXPECT_EQ(assess(zone, zones(), "default").status, "NORMAL");
  EXPECT_EQ(assess(zone, zones(), "default").headroom_c.at("cpu"), 5);
}

TEST(ThermalBands, WithoutAZoneNothingIsKnown) {
  EXPECT_EQ(assess({}, zones(), "default").status, "UNKNOWN");
  EXPECT_EQ(assess({{"cpu", "", {}, {}, {}}}, zones(), "default").status, "UNKNOWN");
}

TEST(ProcessMemory, TheTightestControlGroupLimitsWhatIsAvailable) {
  MemoryEnv env;
  EXPECT_EQ(available_bytes(env), std::nullopt);
  env.put_file("/proc/meminfo", "MemTotal:  8000000 kB\nMemAvailable: 3000000 kB\n");
  EXPECT_EQ(available_bytes(env), 3'072'000'000u);
  env.put_file("/proc/self/cgroup", "0::/user/job\n");
  env.put_file("/sys/fs/cgroup/user/job/memory.max", "max\n");
  env.put_file("/sys/fs/cgroup/user/job/memory.current", "5000\n");
  EXPECT_EQ(available_bytes(env), 3'072'000'000u);
  env.put_file("/sys/fs/cgroup/user/memory.max", "1000000\n");
  env.put_file("/sys/fs/cgroup/user/memory.current", "400000\n");
  EXPECT_EQ(available_bytes(env), 600'000u);
  env.put_file("/sys/fs/cgroup/user/memory.current", "1400000\n");
  EXPECT_EQ(available_bytes(env), 0u);
}

}  // namespace
}  // namespace wattwise::device
