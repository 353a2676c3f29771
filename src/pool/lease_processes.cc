#include "pool/lease_processes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdint>

#include "base/text.h"
#include "limits/cgroup.h"
#include "limits/limit_group.h"
#include "linux/file.h"

namespace isolate {
namespace {

constexpr std::uint64_t kMicroseconds = 1'000'000;

// Says whether the process holds the lock of `file`: whether one of its open files of it is locked (proc(5), fdinfo,
// "lock:").
Result<bool> holds_lock(pid_t pid, const struct stat& file) {
  // isolate opens the file early, so it has a low number. Other processes may have very many descriptors, so stop
  // there.
  constexpr int kMostDescriptors = 1024;
  const auto process = fmt::format("/proc/{}", pid);
  const auto directory = TRY(open_file(AT_FDCWD, process + "/fd", O_PATH | O_DIRECTORY));
  for (int number = 0; number < kMostDescriptors; ++number) {
    const auto name = std::to_string(number);
    const auto status = status_of(directory.get(), name);
    if (!status || status->st_dev != file.st_dev || status->st_ino != file.st_ino) continue;
    const auto info = read_file(fmt::format("{}/fdinfo/{}", process, name));
    // A new owner may have turned the lock into a shared one ("READ"), so accept both kinds.
    if (info && info->find("FLOCK  ADVISORY  ") != std::string::npos) return true;
  }
  return false;
}

// Reads each process's status. ProcessTable does not, because that would take too long for all processes.
std::uint64_t memory_of(const std::vector<pid_t>& processes) {
  std::uint64_t bytes = 0;
  for (const auto pid : processes) {
    // A process that has ended uses no memory.
    if (const auto status = process_status(pid)) bytes += status->memory_bytes;
  }
  return bytes;
}

// Asks twice: a process that tests whether somebody else holds the lock holds it only for a moment itself.
bool keeps_lock(pid_t pid, const struct stat& file) {
  constexpr unsigned kPause = 5'000;  // microseconds
  if (!holds_lock(pid, file).value_or(false)) return false;
  ::usleep(kPause);
  return holds_lock(pid, file).value_or(false);
}

// Says whether the process is in the user namespace `number` or below it. The namespace must belong to the lease's
// user, because the kernel reuses the numbers of namespaces that no longer exist.
bool is_in_namespace(pid_t pid, std::uint64_t number, const LeaseInfo& info) {
  if (number == 0) return false;
  auto space = open_file(AT_FDCWD, fmt::format("/proc/{}/ns/user", pid), O_RDONLY);
  constexpr int kDeepest = 32;  // the kernel's limit on nesting
  for (int depth = 0; space && depth <= kDeepest; ++depth) {
    const auto status = status_of(space->get(), "", AT_EMPTY_PATH);
    if (!status) return false;
    if (status->st_ino == number) {
      uid_t owner = 0;
      return ::ioctl(space->get(), NS_GET_OWNER_UID, &owner) == 0 && std::to_string(owner) == info.user;
    }
    const int parent = ::ioctl(space->get(), NS_GET_PARENT);
    if (parent < 0) return false;  // reached this process's own namespace
    space = Fd(parent);
  }
  return false;
}

bool is_in_namespace(pid_t pid, const LeaseInfo& info) {
  return is_in_namespace(pid, info.user_namespace, info) || is_in_namespace(pid, info.guest_namespace, info);
}

// Returns a descriptor of the namespace, or an empty one if it contains no process.
Fd hold_namespace(std::uint64_t number, const LeaseInfo& info, const ProcessTable& table) {
  for (const auto& [pid, process] : table.all()) {
    auto space = open_file(AT_FDCWD, fmt::format("/proc/{}/ns/user", pid), O_RDONLY);
    // The open descriptor keeps the namespace, so its number can't be reused while the process is checked.
    if (space && is_in_namespace(pid, number, info)) return std::move(*space);
  }
  return {};
}

}  // namespace

Result<std::vector<Fd>> hold_namespaces(LeaseInfo* info) {
  const auto table = TRY(ProcessTable::read());
  std::vector<Fd> held;
  for (auto* number : {&info->user_namespace, &info->guest_namespace}) {
    auto space = *number == 0 ? Fd() : hold_namespace(*number, *info, table);
    if (!space) *number = 0;
    held.push_back(std::move(space));
  }
  return held;
}

Result<std::vector<HeldProcess>> other_processes(const LeaseInfo& info, const Fd& lease_file) {
  const auto file_status = TRY(status_of(lease_file.get(), "", AT_EMPTY_PATH));
  std::vector<HeldProcess> found;
  const auto table = TRY(ProcessTable::read());
  for (const auto& [pid, process] : table.all()) {
    if (pid == ::getpid()) continue;
    auto held = HeldProcess::open(pid);
    const auto status = process_status(pid);
    if (!held || !status) continue;  // has ended meanwhile
    const bool is_users = std::to_string(status->uid) == info.user;
    const bool is_holder = is_users && keeps_lock(pid, file_status);
    // If the process has not ended, the pid was not reused, and the checks above were about this process.
    if ((is_holder || is_in_namespace(pid, info)) && !held->has_ended()) found.push_back(std::move(*held));
  }
  return found;
}

Result<LeaseSupervisor> LeaseSupervisor::find(const LeaseInfo& info, const Fd& lease_file) {
  const auto file_status = TRY(status_of(lease_file.get(), "", AT_EMPTY_PATH));
  auto process = TRY(HeldProcess::open(static_cast<pid_t>(info.pid)));
  auto status = TRY(process_status(process.pid()));
  const bool is_it = std::to_string(status.uid) == info.user && TRY(holds_lock(process.pid(), file_status));
  // If the process has not ended, the pid was not reused, and the checks above were about this process.
  if (!is_it || process.has_ended()) return fail(ESRCH, "isolate of lease " + info.clone_id);
  return LeaseSupervisor(std::move(process), std::move(status));
}

Result<std::optional<HeldProcess>> LeaseSupervisor::engine(const ProcessTable& table) const {
  for (const auto child : table.children_of(process_.pid())) {
    auto held = HeldProcess::open(child);
    if (!held) continue;  // has ended meanwhile
    const auto stat = read_file(fmt::format("/proc/{}/stat", child));
    const auto info = stat ? process_info_from(*stat) : fail(stat.error());
    const auto status = process_status(child);
    const bool is_it = info && info->parent == process_.pid() && status && status->is_first_below(status_);
    if (is_it && !held->has_ended() && !process_.has_ended()) return std::optional(std::move(*held));
  }
  return std::optional<HeldProcess>();
}

std::string group_of_clone(const std::string& proc_cgroup, const std::string& clone_id) {
  const auto group = listed_group(proc_cgroup, "");
  if (!group || group->empty()) return {};
  std::string path = "/sys/fs/cgroup";
  for (const auto& part : text::split(std::string_view(*group).substr(1), '/')) {
    path += "/" + part;
    if (part == clone_id || part.ends_with("-" + clone_id)) return path;
  }
  return {};
}

LeaseUsage group_usage(const std::string& group) {
  const auto usage = [&group](const char* file, const char* word) -> std::optional<std::uint64_t> {
    const auto number = number_in(group + file, word);
    return number ? std::optional(*number) : std::nullopt;  // unknown, because the group lacks the controller
  };
  return {usage("/cpu.stat", "usage_usec"), usage("/memory.current", ""), usage("/pids.current", "")};
}

LeaseUsage guest_usage(const std::string& clone_id, pid_t engine, const ProcessTable& table) {
  LeaseUsage usage;
  const auto groups = read_file(fmt::format("/proc/{}/cgroup", engine));
  const auto group = groups ? group_of_clone(*groups, clone_id) : std::string();
  if (!group.empty()) usage = group_usage(group);
  if (usage.cpu_usec && usage.memory_bytes && usage.tasks) return usage;

  const auto guest = table.tree_of(engine);
  if (guest.empty()) return usage;
  std::uint64_t ticks = 0;
  std::uint64_t threads = 0;
  for (const auto pid : guest) {
    ticks += table.all().at(pid).cpu_ticks;
    threads += table.all().at(pid).threads;
  }
  if (!usage.cpu_usec) usage.cpu_usec = ticks * kMicroseconds / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  if (!usage.tasks) usage.tasks = threads;
  if (!usage.memory_bytes) usage.memory_bytes = memory_of(guest);
  return usage;
}

LeaseUsage lease_usage(const Pool& pool, const LeaseInfo& info, const ProcessTable& table) {
  const auto file = pool.open_lease_file(info.clone_id);
  if (!file) return {};
  const auto supervisor = LeaseSupervisor::find(info, *file);
  if (!supervisor) return {};
  const auto engine = supervisor->engine(table);
  if (!engine || !*engine) return {};
  return guest_usage(info.clone_id, (*engine)->pid(), table);
}

}  // namespace isolate
