#include "linux/own_program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/mount.h>
#include <unistd.h>

#include "linux/file.h"
#include "linux/mount.h"

namespace isolate {
namespace {

Result<std::string> path_of(const std::string& link) {
  char path[PATH_MAX];
  const auto length = ::readlink(link.c_str(), path, sizeof path);
  if (length <= 0) return fail(errno, "readlink " + link);
  return std::string(path, static_cast<std::size_t>(length));
}

}  // namespace

Result<std::string> find_own_program(const std::string& name) {
  const auto own = TRY(path_of("/proc/self/exe"));
  const std::string directory = own.substr(0, own.rfind('/'));
  for (const auto& candidate : {directory + "/" + name, directory + "/../libexec/isolate/" + name}) {
    if (::access(candidate.c_str(), F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR)) return candidate;
  }
  return fail(name + " is missing beside " + own + "; install isolate again");
}

Result<Fd> open_own_program(const std::string& name) {
  return open_file(AT_FDCWD, TRY(find_own_program(name)), O_RDONLY);
}

Result<Fd> mount_read_only(const std::string& name, int program) {
  auto mounted = TRY(mount::copy_tree(AT_FDCWD, TRY(path_of(fmt::format("/proc/self/fd/{}", program))), false));
  const auto here = TRY(status_of(mounted.get(), "", AT_EMPTY_PATH));
  const auto opened = TRY(status_of(program, "", AT_EMPTY_PATH));
  if (here.st_dev != opened.st_dev || here.st_ino != opened.st_ino) {
    return fail(name + " was replaced during the start; try again");
  }
  TRY_VOID(mount::set_attributes(mounted, {MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, -1, true, false}, name));
  return mounted;
}

}  // namespace isolate
