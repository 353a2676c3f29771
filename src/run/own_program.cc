#include "run/own_program.h"

#include <fcntl.h>
#include <unistd.h>

#include "linux/file.h"

namespace isolate {

Result<Fd> open_own_program(const std::string& name) {
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0) return fail(errno, "readlink /proc/self/exe");
  const std::string own(path, static_cast<std::size_t>(length));
  const std::string directory = own.substr(0, own.rfind('/'));
  for (const auto& candidate : {directory + "/" + name, directory + "/../libexec/isolate/" + name}) {
    if (auto fd = open_file(AT_FDCWD, candidate, O_RDONLY)) return fd;
  }
  return fail(name + " is missing beside " + own + "; install isolate again");
}

}  // namespace isolate
