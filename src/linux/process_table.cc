#include "linux/process_table.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <charconv>
#include <cstdint>
#include <string>

#include "base/text.h"
#include "linux/file.h"

namespace isolate {
namespace {

template <typename Number>
bool read_number(std::string_view text, Number* number) {
  return std::from_chars(text.data(), text.data() + text.size(), *number).ec == std::errc();
}

}  // namespace

bool is_in_first_pid_namespace() {
  constexpr ino_t kFirst = 0xEFFFFFFC;
  struct stat status {};
  return ::stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == kFirst;
}

std::string_view status_field(std::string_view status, std::string_view name) {
  const auto at = status.find("\n" + std::string(name) + ":");
  if (at == std::string_view::npos) return {};
  const auto rest = status.substr(at + name.size() + 2);
  const auto line = rest.substr(0, rest.find('\n'));
  return line.substr(std::min(line.size(), line.find_first_not_of("\t ")));
}

Result<ProcessInfo> process_info_from(std::string_view stat) {
  // The name before it may contain blanks and parentheses.
  const auto name_end = stat.rfind(") ");
  const auto fields = text::split(stat.substr(name_end == std::string_view::npos ? stat.size() : name_end + 2), ' ');
  enum : std::size_t { kParent = 1, kUserTime = 11, kChildrensSystemTime = 14, kThreads = 17 };
  ProcessInfo info;
  if (!fields[0].empty()) info.state = fields[0][0];
  if (fields.size() <= kThreads || !read_number(fields[kParent], &info.parent) ||
      !read_number(fields[kThreads], &info.threads)) {
    return fail("not the stat file of a process");
  }
  for (std::size_t i = kUserTime; i <= kChildrensSystemTime; ++i) {
    std::uint64_t ticks = 0;
    if (!read_number(fields[i], &ticks)) return fail("not the stat file of a process");
    info.cpu_ticks += ticks;
  }
  return info;
}

Result<ProcessStatus> process_status_from(std::string_view status) {
  ProcessStatus found;
  for (const auto& number : text::split(status_field(status, "NSpid"), '\t')) {
    pid_t pid = 0;
    if (read_number(number, &pid)) found.numbers.push_back(pid);
  }
  if (found.numbers.empty() || !read_number(status_field(status, "Uid"), &found.uid)) {
    return fail("not the status file of a process");
  }
  for (const char* kind : {"RssAnon", "RssShmem"}) {
    std::uint64_t kibibytes = 0;
    // A process that is ending has no memory any more and lacks these lines; it counts as 0.
    if (read_number(status_field(status, kind), &kibibytes)) found.memory_bytes += kibibytes * 1024;
  }
  return found;
}

Result<ProcessStatus> process_status(pid_t pid) {
  return process_status_from(TRY(read_file("/proc/" + std::to_string(pid) + "/status")));
}

Result<HeldProcess> HeldProcess::open(pid_t pid) {
  const auto number = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (number < 0) return fail(errno, "pidfd_open " + std::to_string(pid));
  return HeldProcess(pid, Fd(number));
}

bool HeldProcess::has_ended() const {
  pollfd end{pidfd_.get(), POLLIN, 0};
  return ::poll(&end, 1, 0) != 0;
}

Result<void> HeldProcess::signal(int number) const {
  if (::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0) == 0) return {};
  return fail(errno, "signal to process " + std::to_string(pid_));
}

Result<void> HeldProcess::signal_with_code(int number, int code) const {
  siginfo_t info{};
  info.si_signo = number;
  info.si_code = code;
  if (::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, &info, 0) == 0) return {};
  return fail(errno, "signal to process " + std::to_string(pid_));
}

Result<ProcessTable> ProcessTable::read() {
  ProcessTable table;
  for (const auto& name : TRY(list_directory(AT_FDCWD, "/proc"))) {
    pid_t pid = 0;
    if (name[0] < '0' || name[0] > '9' || !read_number(name, &pid)) continue;
    const auto stat = read_file("/proc/" + name + "/stat");
    auto info = stat ? process_info_from(*stat) : fail(stat.error());
    if (!info) continue;  // the process has ended since the directory was read
    table.children_.emplace(info->parent, pid);
    table.all_.emplace(pid, *info);
  }
  return table;
}

std::vector<pid_t> ProcessTable::children_of(pid_t pid) const {
  std::vector<pid_t> children;
  const auto [begin, end] = children_.equal_range(pid);
  for (auto child = begin; child != end; ++child) children.push_back(child->second);
  return children;
}

std::vector<pid_t> ProcessTable::tree_of(pid_t pid) const {
  std::vector<pid_t> tree;
  if (all_.count(pid) != 0) tree.push_back(pid);
  // Pids that were reused while the table was read could form a cycle, so bound the loop.
  for (std::size_t i = 0; i < tree.size() && tree.size() <= all_.size(); ++i) {
    for (const auto child : children_of(tree[i])) tree.push_back(child);
  }
  return tree;
}

}  // namespace isolate
