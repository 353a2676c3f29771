#include "init/user.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace isolate::init {
namespace {

// Writes the whole text in one write(2), as the kernel demands for these files. Returns 0 or errno.
int write_file(const char* path, const char* text) {
  const int file = ::open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return errno;
  const int error = ::write(file, text, strlen(text)) < 0 ? errno : 0;
  ::close(file);
  return error;
}

// Maps the id to id 0 of the namespace above.
int map_to_root(const char* path, uint32_t id) {
  char text[] = "0000000000 0 1";
  for (int place = 9; place >= 0; --place, id /= 10) text[place] = static_cast<char>('0' + id % 10);
  return write_file(path, text);
}

}  // namespace

bool limit_capabilities(unsigned long long bounding, unsigned long long own) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int number = 0; ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; ++number) {
    if ((bounding >> number & 1) == 0 && ::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) return false;
  }
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  for (int word = 0; word < 2; ++word) {
    const auto kept = static_cast<unsigned>(own >> (32 * word));
    data[word].permitted &= kept;
    data[word].effective = data[word].permitted;
    data[word].inheritable = 0;
  }
  return ::syscall(SYS_capset, &header, data) == 0;
}

unsigned long long capabilities_to_become_user() { return 1ULL << CAP_SETFCAP; }

int become_user(const protocol::Setup& setup) {
  if (::unshare(CLONE_NEWUSER) != 0) return errno;
  // The change of credentials may have made this process dumpable, and isolate-init with it, whose memory it shares.
  ::prctl(PR_SET_DUMPABLE, 0);
  if (const int error = write_file("/proc/self/setgroups", "deny"); error != 0) return error;
  if (const int error = map_to_root("/proc/self/gid_map", setup.group_id); error != 0) return error;
  if (const int error = map_to_root("/proc/self/uid_map", setup.user_id); error != 0) return error;
  // A system in the root may have mounted something else on /proc. Then nothing is mapped, and the command must not
  // run.
  if (::getuid() != setup.user_id || ::getgid() != setup.group_id) return EPERM;
  // The kernel has given this process all capabilities in the new namespace. The limit on the bounding set is that of
  // every command, so that a program whose file has capabilities can still be executed.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  return limit_capabilities(setup.capabilities, 0) ? 0 : EPERM;
}

}  // namespace isolate::init
