#include "process_tree.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <sstream>

#include "base/text.h"
#include "linux/file.h"

namespace isolate::bench {
namespace {

std::string proc_path(pid_t pid, const char* file) { return "/proc/" + std::to_string(pid) + "/" + file; }

// The parent's pid is the second field after the process's name. The name may contain any character, so look for the
// last
// ')', which ends it (proc_pid_stat(5)).
std::optional<pid_t> parent_of(pid_t pid) {
  auto stat = read_file(proc_path(pid, "stat"));
  if (!stat) return {};  // the process has ended meanwhile
  std::istringstream fields(stat->substr(stat->rfind(')') + 1));
  std::string state;
  pid_t parent = 0;
  fields >> state >> parent;
  return parent;
}

Result<std::vector<pid_t>> all_pids() {
  std::vector<pid_t> pids;
  for (const std::string& name : TRY(list_directory(AT_FDCWD, "/proc"))) {
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && end == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

// A child can have a smaller pid than its parent, because pids wrap around. Therefore the whole list is searched for
// each process that is found.
std::vector<pid_t> with_descendants(pid_t top, const std::vector<pid_t>& pids) {
  std::vector<pid_t> family = {top};
  for (std::size_t i = 0; i < family.size(); ++i) {
    for (pid_t pid : pids) {
      if (parent_of(pid) == family[i]) family.push_back(pid);
    }
  }
  return family;
}

// The sum of all fields whose names begin or end so.
std::uint64_t sum_of(const std::string& rollup, std::string_view beginning, std::string_view end) {
  std::uint64_t sum = 0;
  for (const std::string& line : text::split(rollup, '\n')) {
    const std::string_view name(line.data(), std::min(line.find(':'), line.size()));
    if (!name.starts_with(beginning) || !name.ends_with(end)) continue;
    sum += std::strtoull(line.c_str() + line.find(':') + 1, nullptr, 10);
  }
  return sum;
}

Result<ProcessInfo> info_of(pid_t pid) {
  ProcessInfo info;
  info.pid = pid;
  info.name = TRY(read_file(proc_path(pid, "comm")));
  info.name.erase(std::remove(info.name.begin(), info.name.end(), '\n'), info.name.end());
  const std::string rollup = TRY(read_file(proc_path(pid, "smaps_rollup")));
  if (rollup.find("Private_Dirty:") == std::string::npos)
    return fail(proc_path(pid, "smaps_rollup") + " has no line Private_Dirty");
  info.private_kib = sum_of(rollup, "Private_", "");
  info.dirty_kib = sum_of(rollup, "", "_Dirty");
  return info;
}

}  // namespace

Result<std::vector<ProcessInfo>> process_tree(pid_t top) {
  std::vector<ProcessInfo> tree = {TRY(info_of(top))};
  for (pid_t pid : with_descendants(top, TRY(all_pids()))) {
    if (pid == top) continue;
    auto info = info_of(pid);
    if (info) tree.push_back(*std::move(info));
  }
  return tree;
}

}  // namespace isolate::bench
