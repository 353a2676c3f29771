#include "linux/stream.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <string>

#include "base/trace.h"
#include "linux/file.h"

namespace isolate {
namespace {

constexpr int kQueryDescription = 1024 + 3;  // F_DUPFD_QUERY, Linux 6.10

bool is_anonymous_pipe(int fd) {
  struct statfs system {};
  return ::fstatfs(fd, &system) == 0 && system.f_type == PIPEFS_MAGIC;
}

bool is_memory_device(dev_t device) {
  constexpr unsigned kMemoryDevices = 1;
  if (major(device) != kMemoryDevices) return false;
  const unsigned number = minor(device);
  return number == 3 || number == 5 || (number >= 7 && number <= 9);
}

bool is_terminal(int fd) {
  unsigned number = 0;
  // The controlling side of a pseudo-terminal passes isatty, too. Only it has a pseudo-terminal number.
  return ::isatty(fd) == 1 && ::ioctl(fd, TIOCGPTN, &number) != 0;
}

bool is_same_open_file(int one, int other) {
  if (const int same = ::fcntl(one, kQueryDescription, other); same >= 0) return same == 1;
  const pid_t self = ::getpid();
  return ::syscall(SYS_kcmp, self, self, KCMP_FILE, one, other) == 0;
}

}  // namespace

Result<StreamKind> kind_of_stream(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return fail(errno, "fcntl");
  const auto status = TRY(status_of(fd, "", AT_EMPTY_PATH));
  if (S_ISDIR(status.st_mode)) return StreamKind::directory;
  if ((flags & O_PATH) != 0) return StreamKind::path;
  if (S_ISFIFO(status.st_mode)) return is_anonymous_pipe(fd) ? StreamKind::pipe : StreamKind::other;
  if (!S_ISCHR(status.st_mode)) return StreamKind::other;
  if (is_memory_device(status.st_rdev)) return StreamKind::memory_device;
  return is_terminal(fd) ? StreamKind::terminal : StreamKind::other;
}

bool can_be_read(int fd) { return (::fcntl(fd, F_GETFL) & O_ACCMODE) != O_WRONLY; }
bool can_be_written(int fd) { return (::fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY; }

bool is_same_stream(int one, int other) {
  if (is_same_open_file(one, other)) return true;
  struct stat first {};
  struct stat second {};
  if (::fstat(one, &first) != 0 || ::fstat(other, &second) != 0) return false;
  if (first.st_dev != second.st_dev || first.st_ino != second.st_ino) return false;
  return S_ISFIFO(first.st_mode) || (::fcntl(one, F_GETFL) & ::fcntl(other, F_GETFL) & O_APPEND) != 0;
}

Result<Fd> reopen_pipe(int fd) {
  const auto flags = static_cast<int>(TRY(trace::check(::fcntl(fd, F_GETFL), "fcntl", "pipe")));
  auto pipe = TRY(open_file(AT_FDCWD, "/proc/self/fd/" + std::to_string(fd), flags & O_ACCMODE));
  TRY(trace::check(::fcntl(pipe.get(), F_SETFL, flags & (O_NONBLOCK | O_DIRECT)), "fcntl", "pipe"));
  return pipe;
}

bool preserves_message_boundaries(int fd) {
  int type = 0;
  socklen_t length = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type != SOCK_STREAM;
}

void open_standard_descriptors() {
  int fd = -1;
  do {
    fd = ::open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) ::close(fd);
}

}  // namespace isolate
