// SPDX-License-Identifier: Apache-2.0
#include "device/doctor.h"

#include <fmt/format.h>

#include "device/sensors.h"

namespace wattwise::device {
namespace {

Finding look_at(const Env& env, const std::string& root, const SensorRow& row) {
  Finding finding{std::string(row.subject), false, "", std::string(row.unlock)};
  std::vector<std::string> readings;
  std::string unreadable;
  for (const std::string& entry : entries(env, below(root, row.directory), row.prefix)) {
    const std::string path = join_path(entry, row.file);
    if (!env.stat(path)) continue;
    if (const auto value = read_number(env, path)) {
      readings.push_back(
          fmt::format("{} {:.4g} {}", file_name(entry), *value * row.scale, row.unit));
    } else {
      unreadable = path;
    }
  }
  if (!readings.empty()) {
    finding.available = true;
    finding.unlock.clear();
    finding.detail = fmt::format("{}", fmt::join(readings, ", "));
  } else if (!unreadable.empty()) {
    finding.detail = unreadable + " exists but cannot be read";
    finding.unlock = "read permission on " + unreadable;
  } else {
    finding.detail = fmt::format("there is no {}/{}*/{}", row.directory, row.prefix, row.file);
  }
  return finding;
}

Finding look_for(const Env& env, const std::string& path, const std::string& subject,
                 const std::string& unlock) {
  const bool there = env.stat(path).has_value();
  return {subject, there, there ? path + " exists" : "there is no " + path, there ? "" : unlock};
}

}  // namespace

std::vector<Finding> diagnose(const Env& env, const std::string& root) {
  std::vector<Finding> findings;
  for (const SensorRow& row : sensor_table()) findings.push_back(look_at(env, root, row));
  findings.push_back(look_for(env, below(root, "/proc/pressure/cpu"), "CPU pressure",
                              "a kernel built with CONFIG_PSI"));
  findings.push_back(look_for(env, below(root, "/dev/nvidia0"), "NVIDIA GPU",
                              "an NVIDIA GPU and its driver (power is read through NVML)"));
  return findings;
}

}  // namespace wattwise::device
