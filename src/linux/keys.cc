#include "linux/keys.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string_view>

#include "linux/file.h"
#include "linux/mount.h"

namespace isolate {

void new_session_keyring() { ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr); }

std::vector<std::string> key_files() {
  std::vector<std::string> files;
  for (const char* path : {"/proc/keys", "/proc/key-users"}) {
    if (::access(path, F_OK) == 0) files.emplace_back(path);
  }
  return files;
}

Result<void> cover_files_of_proc(const Fd& proc, const std::vector<std::string>& files) {
  for (const auto& file : files) {
    const auto null = TRY(mount::copy_tree(AT_FDCWD, "/dev/null", false));
    TRY_VOID(mount::set_attributes(null, {MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, -1, true, false}, file));
    const auto place = TRY(open_file(proc.get(), file.substr(std::string_view("/proc/").size()), O_PATH | O_NOFOLLOW));
    TRY_VOID(mount::attach(null, place.get(), file));
  }
  return {};
}

}  // namespace isolate
