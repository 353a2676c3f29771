#include "linux/own_program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/mount.h>
#include <unistd.h>

#include "linux/file.h"
#include "linux/mount.h"

namespace isolate {

Result<Fd> open_own_program(const std::string& name) {
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0) return fail(errno, "readlink /proc/self/exe");
  const std::string own(path, static_cast<std::size_t>(length));
  const std::string directory = own.substr(0, own.rfind('/'));
  for (const auto& candidate : {directory + "/" + name, directory + "/../libexec/isolate/" + name}) {
    auto fd = open_file(AT_FDCWD, candidate, O_RDONLY);
    if (fd || (fd.error().code() != ENOENT && fd.error().code() != ENOTDIR)) return fd;
  }
  return fail(name + " is missing beside " + own + "; install isolate again");
}

Result<Fd> mount_read_only(const std::string& name, int program) {
  char path[PATH_MAX];
  const auto length = ::readlink(fmt::format("/proc/self/fd/{}", program).c_str(), path, sizeof path);
  if (length <= 0) return fail(errno, "readlink " + name);
  auto mounted = TRY(mount::copy_tree(AT_FDCWD, {path, static_cast<std::size_t>(length)}, false));
  const auto here = TRY(status_of(mounted.get(), "", AT_EMPTY_PATH));
  const auto opened = TRY(status_of(program, "", AT_EMPTY_PATH));
  if (here.st_dev != opened.st_dev || here.st_ino != opened.st_ino) {
    return fail(name + " was replaced in this moment; try again");
  }
  TRY_VOID(mount::set_attributes(mounted, {MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, -1, true, false}, name));
  return mounted;
}

}  // namespace isolate
