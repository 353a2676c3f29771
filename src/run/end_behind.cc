#include "run/end_behind.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <charconv>

#include "linux/file.h"
#include "linux/process.h"
#include "linux/process_table.h"

namespace isolate {
namespace {

constexpr const char* kName = "isolate-end";

// Whether the last child of a run still waits to be reaped, although it has ended.
bool last_one_is_a_zombie(const std::string& record) {
  const auto pid = read_file(record);
  if (!pid) return false;
  const auto status = read_file("/proc/" + *pid + "/stat");
  return status && status->starts_with(*pid + " (" + kName + ") Z");
}

// Whether this is the first process of a pid namespace, with which the kernel kills all others, or a child of one that
// probably ends next, like the shell of a container.
bool ends_with_namespace() { return ::getpid() == 1 || (::getppid() == 1 && !is_in_first_pid_namespace()); }

std::vector<int> inherited_descriptors() {
  std::vector<int> numbers;
  const auto names = list_directory(AT_FDCWD, "/proc/self/fd");
  if (!names) return numbers;
  for (const auto& name : *names) {
    int number = -1;
    std::from_chars(name.data(), name.data() + name.size(), number);
    // What isolate itself has opened is closed by execve(2).
    const int flags = ::fcntl(number, F_GETFD);
    if (number > STDERR_FILENO && flags >= 0 && (flags & FD_CLOEXEC) == 0) numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

void EndBehind::prepare(std::string record) {
  record_ = std::move(record);
  nothing_ = Fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  inherited_ = inherited_descriptors();
  self_ = own_pidfd();
  is_possible_ = !ends_with_namespace() && nothing_ && self_ && !last_one_is_a_zombie(record_);
}

void EndBehind::keep_mounts_of(pid_t pid) {
  Fd mounts(::open(("/proc/" + std::to_string(pid) + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
  if (mounts) namespaces_.push_back(std::move(mounts));
}

bool EndBehind::divide() const {
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) ::dup2(nothing_.get(), number);
  for (const int number : inherited_) ::close(number);
  if (::fork() != 0) return false;
  ::setsid();
  ::prctl(PR_SET_NAME, kName);
  pollfd end{self_.get(), POLLIN, 0};
  while (::poll(&end, 1, -1) < 0 && errno == EINTR) {
  }
  static_cast<void>(::chdir("/"));
  if (const Fd file(::open(record_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)); file) {
    static_cast<void>(write_all(file.get(), std::to_string(::getpid()), record_));
  }
  return true;
}

}  // namespace isolate
