// SPDX-License-Identifier: Apache-2.0
#include "device/sensors.h"

#include <array>
#include <cmath>
#include <cstdlib>

#include "core/text.h"

namespace wattwise::device {
namespace {

// Scales and units: Documentation/ABI/testing/sysfs-class-power, sysfs-class-thermal,
// Documentation/power/powercap and Documentation/hwmon/sysfs-interface of the Linux kernel.
constexpr std::array kSensors = {
    SensorRow{"thermal zone", "/sys/class/thermal", "thermal_zone", "temp", 1e-3, "deg C",
              "a kernel with a thermal driver for this machine; virtual machines have none"},
    SensorRow{"battery level", "/sys/class/power_supply", "", "capacity", 1, "%",
              "a battery, and its kernel driver"},
    SensorRow{"battery power", "/sys/class/power_supply", "", "power_now", 1e-3, "mW",
              "a battery whose driver reports power_now"},
    SensorRow{
        "CPU energy counter", "/sys/class/powercap", "intel-rapl", "energy_uj", 1e-3, "mJ",
        "a bare-metal Intel or AMD machine, the module intel_rapl_msr, and read permission on "
        "energy_uj"},
    SensorRow{"board power sensor", "/sys/class/hwmon", "hwmon", "power1_input", 1e-3, "mW",
              "a board with a power monitor such as INA3221 and its hwmon driver"},
    SensorRow{"CPU frequency", "/sys/devices/system/cpu", "cpu", "cpufreq/scaling_cur_freq", 1,
              "kHz", "a cpufreq driver; virtual machines have none"},
};

}  // namespace

std::span<const SensorRow> sensor_table() { return kSensors; }

std::optional<std::string> read_line(const Env& env, const std::string& path) {
  auto content = env.read_file(path);
  if (!content) return std::nullopt;
  return std::string(trim(*content));
}

std::optional<double> read_number(const Env& env, const std::string& path) {
  const auto line = read_line(env, path);
  if (!line || line->empty()) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(line->c_str(), &end);
  if (*end != '\0' || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string below(const std::string& root, std::string_view path) {
  return root + std::string(path);
}

std::vector<std::string> entries(const Env& env, const std::string& folder,
                                 std::string_view prefix) {
  std::vector<std::string> out;
  const auto names = env.list_directory(folder);
  if (!names) return out;
  for (const std::string& name : *names) {
    if (name.starts_with(prefix)) out.push_back(join_path(folder, name));
  }
  return out;
}

}  // namespace wattwise::device
