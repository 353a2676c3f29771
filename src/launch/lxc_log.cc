#include "launch/lxc_log.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/trace.h"
#include "linux/file.h"

namespace isolate {

Result<LxcLog> LxcLog::open(const std::string& path) {
  const auto refused = [&path](const std::string& why) {
    return fail("DEBUG_LXC_SPAWN: " + path + " " + why + "; remove it");
  };
  // With these flags, opening a pipe or a terminal neither waits nor changes anything. The check below refuses them.
  auto file = open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
  if (!file && file.error().code() == ELOOP) return refused("is a symbolic link");
  if (!file) return fail(Error(file.error().code(), "DEBUG_LXC_SPAWN: " + path));
  const auto status = TRY(status_of(file->get(), "", AT_EMPTY_PATH));
  if (!S_ISREG(status.st_mode)) return refused("is not an ordinary file");
  if (status.st_uid != ::geteuid()) return refused("belongs to somebody else");
  if (status.st_nlink != 1) return refused("has another name beside this one");
  TRY(trace::check(::ftruncate(file->get(), 0), "ftruncate", path));
  Fd memory(static_cast<int>(TRY(trace::check(::memfd_create("isolate-lxc-log", MFD_CLOEXEC), "memfd_create", "log"))));
  return LxcLog(path, std::move(*file), std::move(memory));
}

Result<void> LxcLog::save() const {
  constexpr std::size_t kMost = 16 << 20;
  TRY(trace::check(::lseek(memory_.get(), 0, SEEK_SET), "lseek", "log"));
  return write_all(file_.get(), TRY(read_all(memory_.get(), kMost)), path_);
}

}  // namespace isolate
