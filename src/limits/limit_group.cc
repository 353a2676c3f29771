#include "limits/limit_group.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/text.h"
#include "linux/file.h"

namespace isolate {
namespace {

// No read permission: another user who can't open the directory can't lock it. Its files can still be read.
constexpr mode_t kMode = 0711;

// Writes to a file that the kernel provides: it is never created, and takes the value in a single write.
Result<void> write_value(const std::string& path, std::string_view value) {
  auto file = open_file(AT_FDCWD, path, O_WRONLY);
  if (!file && file.error().code() == ENOENT) return fail("this kernel does not have this limit: there is no " + path);
  return write_all(TRY(std::move(file)).get(), value, "'" + std::string(value) + "' to " + path);
}

bool is_among(const std::string& controllers, const std::string& name) {
  for (const auto& line : text::split(controllers, '\n')) {
    const auto names = text::split(line, ' ');
    if (std::find(names.begin(), names.end(), name) != names.end()) return true;
  }
  return false;
}

Result<void> limit_memory(const std::string& path, std::uint64_t bytes) {
  TRY_VOID(write_value(path + "/memory.max", std::to_string(bytes)));
  // A kernel without swap has no file for its limit.
  if (::access("/proc/swaps", F_OK) != 0) return {};
  return write_value(path + "/memory.swap.max", "0");
}

}  // namespace

std::vector<std::string> limiting_controllers() { return {"memory", "cpu", "pids", "io"}; }

std::vector<std::string> controllers_of(const GroupLimits& limits) {
  std::vector<std::string> names;
  if (limits.memory) names.emplace_back("memory");
  if (limits.cpu_time) names.emplace_back("cpu");
  if (limits.processes) names.emplace_back("pids");
  if (limits.io_weight) names.emplace_back("io");
  return names;
}

Result<std::vector<std::string>> available_controllers(const std::string& path,
                                                       const std::vector<std::string>& controllers) {
  const auto given = TRY(read_file(path + "/cgroup.controllers"));
  std::vector<std::string> found;
  std::copy_if(controllers.begin(), controllers.end(), std::back_inserter(found),
               [&given](const std::string& name) { return is_among(given, name); });
  return found;
}

Result<GroupLimits> available_limits(const std::string& path, const GroupLimits& limits) {
  GroupLimits available;
  for (const auto& name : TRY(available_controllers(path, controllers_of(limits)))) {
    if (name == "memory") available.memory = limits.memory;
    if (name == "cpu") available.cpu_time = limits.cpu_time;
    if (name == "pids") available.processes = limits.processes;
    if (name == "io") available.io_weight = limits.io_weight;
  }
  return available;
}

Result<void> enable_controllers(const std::string& path, const std::vector<std::string>& controllers) {
  const auto available = TRY(available_controllers(path, controllers));
  const auto enabled = TRY(read_file(path + "/cgroup.subtree_control"));
  std::string missing;
  for (const auto& name : controllers) {
    if (std::find(available.begin(), available.end(), name) == available.end()) {
      return fail("the control group controller '" + name + "', which this limit needs, is not available in " + path);
    }
    if (!is_among(enabled, name)) missing += (missing.empty() ? "+" : " +") + name;
  }
  if (missing.empty()) return {};
  return write_value(path + "/cgroup.subtree_control", missing);
}

Result<void> disable_controllers(const std::string& path) {
  auto enabled = TRY(read_file(path + "/cgroup.subtree_control"));
  std::string taken;
  for (const auto& name : text::split(enabled.substr(0, enabled.find('\n')), ' ')) {
    if (!name.empty()) taken += (taken.empty() ? "-" : " -") + name;
  }
  return taken.empty() ? Result<void>() : write_value(path + "/cgroup.subtree_control", taken);
}

Result<void> write_limits(const std::string& path, const GroupLimits& limits) {
  if (limits.memory) TRY_VOID(limit_memory(path, *limits.memory));
  if (limits.cpu_time) {
    TRY_VOID(write_value(path + "/cpu.max", std::to_string(*limits.cpu_time) + " " + std::to_string(kCpuPeriod)));
  }
  if (limits.processes) TRY_VOID(write_value(path + "/pids.max", std::to_string(*limits.processes)));
  if (limits.io_weight) TRY_VOID(write_value(path + "/io.weight", std::to_string(*limits.io_weight)));
  return {};
}

Result<std::uint64_t> number_in(const std::string& path, const std::string& word) {
  const auto begin = word.empty() ? word : word + " ";
  for (const auto& line : text::split(TRY(read_file(path)), '\n')) {
    if (line.starts_with(begin)) return text::number(line.substr(begin.size()), path, 0, UINT64_MAX);
  }
  return fail(path + " has no line '" + word + "'");
}

Result<bool> is_populated(const std::string& path) { return TRY(number_in(path + "/cgroup.events", "populated")) != 0; }

std::uint64_t count_oom_kills(const std::string& path) {
  return number_in(path + "/memory.events", "oom_kill").value_or(0);
}

void kill_and_remove_groups(const std::vector<std::string>& paths, std::chrono::milliseconds patience) {
  for (const auto& path : paths) {
    // If this fails the group no longer exists, or its processes can't be killed; then the loop below leaves it alone.
    auto ignored = write_value(path + "/cgroup.kill", "1");
    // Keeps the owner of the groups below from making more of them. If this fails, somebody could at most make the
    // removal below fail.
    ignored = limit_groups_below(path, 0);
  }
  const auto end = std::chrono::steady_clock::now() + patience;
  for (const auto& path : paths) {
    auto populated = is_populated(path);
    while (populated && *populated && std::chrono::steady_clock::now() < end) {
      ::usleep(1000);
      populated = is_populated(path);
    }
    if (populated && !*populated) remove_control_group(path);
  }
}

std::string guest_part(const std::string& group) { return group + "/guest"; }

Result<LimitGroup> LimitGroup::make(const std::string& parent, const std::string& name, const GroupLimits& limits) {
  TRY_VOID(enable_controllers(parent, controllers_of(limits)));
  const auto path = parent + "/" + name;
  TRY_VOID(make_directory(AT_FDCWD, path, kMode));
  LimitGroup group(path);
  group.group_ = LockedGroup(path, TRY(lock_control_group(path)));
  TRY_VOID(write_limits(path, limits));
  TRY_VOID(make_directory(AT_FDCWD, guest_part(path), kMode));
  return group;
}

LimitGroup::~LimitGroup() {
  if (*this) kill_and_remove_groups({path()}, std::chrono::seconds(5));
}

}  // namespace isolate
