// SPDX-License-Identifier: Apache-2.0
#include "device/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "core/text.h"
#include "device/sensors.h"

namespace wattwise::device {
namespace {

constexpr double kMicro = 1e-6;
constexpr double kMilli = 1e-3;

/// Instruction sets that decide which kernels ONNX Runtime picks.
constexpr std::array<std::string_view, 12> kIsa = {
    "sse4_1",      "avx",         "avx2",     "fma",   "avx_vnni", "avx512f",
    "avx512_vnni", "avx512_bf16", "amx_int8", "asimd", "asimddp",  "i8mm"};

std::optional<Celsius> celsius(const Env& env, const std::string& path) {
  const auto raw = read_number(env, path);
  return raw ? std::optional(Celsius(*raw * kMilli)) : std::nullopt;
}

/// The temperature of the zone's trip point of this type.
std::optional<Celsius> trip_point(const Env& env, const std::string& zone, std::string_view type) {
  constexpr int kMaxTrips = 16;
  for (int i = 0; i < kMaxTrips; ++i) {
    const auto found = read_line(env, fmt::format("{}/trip_point_{}_type", zone, i));
    if (!found) return std::nullopt;
    if (*found == type) return celsius(env, fmt::format("{}/trip_point_{}_temp", zone, i));
  }
  return std::nullopt;
}

std::vector<ThermalZone> read_zones(const Env& env, const std::string& root) {
  std::vector<ThermalZone> zones;
  for (const std::string& path : entries(env, below(root, "/sys/class/thermal"), "thermal_zone")) {
    const auto type = read_line(env, path + "/type");
    if (!type) continue;
    zones.push_back({*type, path, celsius(env, path + "/temp"), trip_point(env, path, "passive"),
                     trip_point(env, path, "critical")});
  }
  return zones;
}

/// Wh from energy_full_design (uWh), or charge_full_design (uAh) times the design voltage (uV).
std::optional<WattHours> read_capacity(const Env& env, const std::string& path) {
  for (const char* file : {"/energy_full", "/energy_full_design"}) {
    if (const auto energy = read_number(env, path + file)) return WattHours(*energy * kMicro);
  }
  const auto charge = read_number(env, path + "/charge_full");
  const auto voltage = read_number(env, path + "/voltage_min_design");
  if (!charge || !voltage) return std::nullopt;
  return WattHours(*charge * kMicro * *voltage * kMicro);
}

/// mW from power_now (uW), or current_now (uA) times voltage_now (uV); drivers differ in the sign.
std::optional<Milliwatts> read_power(const Env& env, const std::string& path) {
  if (const auto power = read_number(env, path + "/power_now")) {
    return Milliwatts(std::abs(*power) * kMilli);
  }
  const auto current = read_number(env, path + "/current_now");
  const auto voltage = read_number(env, path + "/voltage_now");
  if (!current || !voltage) return std::nullopt;
  return Milliwatts(std::abs(*current) * kMicro * *voltage * kMicro * 1e3);
}

std::vector<Battery> read_batteries(const Env& env, const std::string& root) {
  std::vector<Battery> batteries;
  for (const std::string& path : entries(env, below(root, "/sys/class/power_supply"), "")) {
    // A stylus or a mouse has a battery too; its scope says that it is not this machine's.
    if (read_line(env, path + "/type") != "Battery") continue;
    if (read_line(env, path + "/scope") == "Device") continue;
    Battery battery;
    battery.name = file_name(path);
    battery.level_percent = read_number(env, path + "/capacity");
    const auto status = read_line(env, path + "/status");
    if (status && *status != "Unknown") battery.is_charging = *status != "Discharging";
    battery.capacity = read_capacity(env, path);
    battery.power = read_power(env, path);
    if (battery.power && battery.is_charging.value_or(false)) {
      battery.power = *battery.power * -1;
    }
    batteries.push_back(std::move(battery));
  }
  return batteries;
}

std::vector<EnergyCounter> read_counters(const Env& env, const std::string& root) {
  std::vector<EnergyCounter> counters;
  for (const std::string& path : entries(env, below(root, "/sys/class/powercap"), "intel-rapl:")) {
    const auto energy = read_number(env, path + "/energy_uj");
    const auto range = read_number(env, path + "/max_energy_range_uj");
    EnergyCounter counter{read_line(env, path + "/name").value_or(file_name(path)), path, {}, {}};
    if (energy) counter.energy = Millijoules(*energy * kMilli);
    if (range) counter.wraps_at = Millijoules(*range * kMilli);
    counters.push_back(std::move(counter));
  }
  return counters;
}

/// Value of a "key : value" line; the first one counts.
std::optional<std::string> field_of(const std::string& text, std::string_view key) {
  for (const std::string& line : split(text, '\n')) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos || trim(line.substr(0, colon)) != key) continue;
    return std::string(trim(line.substr(colon + 1)));
  }
  return std::nullopt;
}

std::optional<uint64_t> kilobytes(const std::string& text, std::string_view key) {
  const auto value = field_of(text, key);
  if (!value || value->empty() || !std::isdigit(static_cast<unsigned char>((*value)[0]))) {
    return std::nullopt;
  }
  return std::stoull(*value) * 1024;
}

Memory read_memory(const Env& env, const std::string& root) {
  Memory memory;
  const auto text = env.read_file(below(root, "/proc/meminfo"));
  if (!text) return memory;
  memory.total_bytes = kilobytes(*text, "MemTotal");
  memory.available_bytes = kilobytes(*text, "MemAvailable");
  return memory;
}

void read_cpuinfo(const Env& env, const std::string& root, Cpu& cpu) {
  const auto text = env.read_file(below(root, "/proc/cpuinfo"));
  if (!text) return;
  std::set<std::string> physical;
  std::string package = "0";
  for (const std::string& line : split(*text, '\n')) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string key(trim(line.substr(0, colon)));
    const std::string value(trim(line.substr(colon + 1)));
    if (key == "processor") ++cpu.logical_cores;
    if (key == "physical id") package = value;
    if (key == "core id") physical.insert(package + ":" + value);
  }
  if (!physical.empty()) cpu.physical_cores = static_cast<int>(physical.size());
  cpu.model =
      field_of(*text, "model name").value_or(field_of(*text, "Hardware").value_or("unknown"));
  const std::string flags =
      field_of(*text, "flags").value_or(field_of(*text, "Features").value_or(""));
  const auto words = split(flags, ' ');
  for (const std::string_view isa : kIsa) {
    if (std::find(words.begin(), words.end(), isa) != words.end()) cpu.isa.emplace_back(isa);
  }
}

std::optional<int64_t> kilohertz(const Env& env, const std::string& path) {
  const auto value = read_number(env, path);
  return value ? std::optional(static_cast<int64_t>(*value)) : std::nullopt;
}

void read_frequencies(const Env& env, const std::string& root, Cpu& cpu) {
  for (const std::string& path : entries(env, below(root, "/sys/devices/system/cpu"), "cpu")) {
    const std::string digits = file_name(path).substr(3);
    if (digits.empty() || !std::all_of(digits.begin(), digits.end(),
                                       [](unsigned char c) { return std::isdigit(c) != 0; })) {
      continue;
    }
    cpu.cores.push_back({std::stoi(digits), kilohertz(env, path + "/cpufreq/scaling_cur_freq"),
                         kilohertz(env, path + "/cpufreq/cpuinfo_max_freq")});
  }
}

}  // namespace

DeviceSnapshot take_snapshot(const Env& env, const std::string& root) {
  DeviceSnapshot snapshot;
  snapshot.taken_at = env.wall_now();
  read_cpuinfo(env, root, snapshot.cpu);
  read_frequencies(env, root, snapshot.cpu);
  snapshot.memory = read_memory(env, root);
  snapshot.thermal_zones = read_zones(env, root);
  snapshot.batteries = read_batteries(env, root);
  snapshot.energy_counters = read_counters(env, root);
  return snapshot;
}

}  // namespace wattwise::device
