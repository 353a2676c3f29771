#include "linux/terminal_mount.h"

#include <fmt/format.h>
#include <limits.h>
#include <unistd.h>

#include "base/trace.h"
#include "linux/file.h"
#include "linux/mount.h"

namespace isolate {

Result<Fd> read_only_terminal(int fd) {
  char path[PATH_MAX];
  if (const int error = ::ttyname_r(fd, path, sizeof path); error != 0) return fail(error, "name of the terminal");
  auto tree = TRY(mount::copy_tree(AT_FDCWD, path, false));
  const auto named = TRY(status_of(tree.get(), "", AT_EMPTY_PATH));
  const auto open = TRY(status_of(fd, "", AT_EMPTY_PATH));
  if (named.st_dev != open.st_dev || named.st_ino != open.st_ino || named.st_rdev != open.st_rdev) {
    return fail(ENODEV, path);
  }
  const auto attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY;
  TRY_VOID(mount::set_attributes(tree, {attributes, -1, true, false}, path));
  return tree;
}

Result<Fd> reopen_terminal(int fd, const Fd& mount) {
  const auto flags = static_cast<int>(TRY(trace::check(::fcntl(fd, F_GETFL), "fcntl", "terminal")));
  // Without O_NONBLOCK, opening a serial line would wait for its carrier.
  auto terminal = TRY(
      open_file(AT_FDCWD, fmt::format("/proc/self/fd/{}", mount.get()), (flags & O_ACCMODE) | O_NOCTTY | O_NONBLOCK));
  TRY(trace::check(::fcntl(terminal.get(), F_SETFL, 0), "fcntl", "terminal"));
  return terminal;
}

}  // namespace isolate
