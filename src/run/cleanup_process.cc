#include "run/cleanup_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "linux/file.h"
#include "linux/process.h"
#include "linux/process_table.h"

namespace isolate {
namespace {

constexpr const char* kName = "isolate-end";

// Returns the state letter (proc(5)) of the child of an earlier run that `record` names; '-': it does not exist any
// more.
char state_of_last_child(const std::string& record) {
  const auto pid = read_file(record);
  if (!pid) return '-';
  const auto name = *pid + " (" + kName + ") ";
  const auto status = read_file("/proc/" + *pid + "/stat");
  return status && status->starts_with(name) && status->size() > name.size() ? (*status)[name.size()] : '-';
}

// Whether the pids in /proc are those of this process's pid namespace. A container may have another one's /proc.
bool proc_is_ours() {
  std::array<char, 32> link{};
  const ssize_t length = ::readlink("/proc/self", link.data(), link.size());
  return length > 0 && std::string_view(link.data(), static_cast<std::size_t>(length)) == std::to_string(::getpid());
}

// Whether a child of this process might be killed before it has done its work. When the first process of a pid
// namespace ends, the kernel kills all others in it. Here that is this process, or its parent, which in a container is
// often a shell that ends right after isolate.
bool ends_with_namespace() { return ::getpid() == 1 || (::getppid() == 1 && !is_in_first_pid_namespace()); }

// Returns the memory with this process's arguments, which follow each other; a variable of glibc points to the first.
std::span<char> arguments() {
  const auto text = read_file("/proc/self/cmdline");
  if (!text || text->empty() || !text->starts_with(::program_invocation_name)) return {};
  return {::program_invocation_name, text->size()};
}

Result<std::vector<int>> inherited_descriptors() {
  std::vector<int> numbers;
  for (const auto& name : TRY(list_directory(AT_FDCWD, "/proc/self/fd"))) {
    int number = -1;
    std::from_chars(name.data(), name.data() + name.size(), number);
    // isolate opens its own descriptors with O_CLOEXEC, so one without it was inherited from the caller.
    const int flags = ::fcntl(number, F_GETFD);
    if (number > STDERR_FILENO && flags >= 0 && (flags & FD_CLOEXEC) == 0) numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

void CleanupProcess::prepare(std::string record) {
  record_ = std::move(record);
  if (ends_with_namespace() || !proc_is_ours() || state_of_last_child(record_) == 'Z') return;
  auto inherited = inherited_descriptors();
  dev_null_ = Fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  self_ = own_pidfd();
  if (!inherited || !dev_null_ || !self_) return;
  inherited_ = std::move(*inherited);
  arguments_ = arguments();
  can_run_ = true;
}

void CleanupProcess::keep_mounts_of(pid_t pid) {
  Fd mounts(::open(("/proc/" + std::to_string(pid) + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
  if (mounts) namespaces_.push_back(std::move(mounts));
}

bool CleanupProcess::fork_after_closing() const {
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) ::dup2(dev_null_.get(), number);
  for (const int number : inherited_) ::close(number);
  // With isolate's command line the child would look as if the command still ran. It must not show it even for a
  // moment.
  std::fill(arguments_.begin(), arguments_.end(), '\0');
  if (!arguments_.empty()) std::string_view(kName).copy(arguments_.data(), arguments_.size() - 1);
  if (::chdir("/") != 0 || ::fork() != 0) return false;
  ::setsid();
  ::prctl(PR_SET_NAME, kName);
  pollfd end{self_.get(), POLLIN, 0};
  while (::poll(&end, 1, -1) < 0 && errno == EINTR) {
  }
  if (state_of_last_child(record_) == '-') {
    const Fd file(::open(record_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file) static_cast<void>(write_all(file.get(), std::to_string(::getpid()), record_));
  }
  return true;
}

}  // namespace isolate
