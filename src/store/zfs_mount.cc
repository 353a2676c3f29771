#include "store/zfs_mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include <array>
#include <cstdint>

#include "base/text.h"

namespace isolate::zfs {
namespace {

constexpr std::array<const char*, 4> kSecurityContexts = {"context", "fscontext", "defcontext", "rootcontext"};

std::uint64_t attributes_of(const Dataset& dataset) {
  std::uint64_t attributes = 0;
  if (dataset.value("setuid") == "off") attributes |= MOUNT_ATTR_NOSUID;
  if (dataset.value("devices") == "off") attributes |= MOUNT_ATTR_NODEV;
  if (dataset.value("exec") == "off") attributes |= MOUNT_ATTR_NOEXEC;
  if (dataset.value("readonly") == "on") attributes |= MOUNT_ATTR_RDONLY;
  if (dataset.value("atime") == "off") return attributes | MOUNT_ATTR_NOATIME;
  if (dataset.value("relatime") == "off") return attributes | MOUNT_ATTR_STRICTATIME;
  return attributes;
}

}  // namespace

bool kernel_has_zfs() { return mount::is_known("zfs"); }

std::string mount_properties() { return "mountpoint,keystatus," + inherited_mount_properties(); }

std::string inherited_mount_properties() {
  return "setuid,devices,exec,readonly,atime,relatime," +
         text::join({kSecurityContexts.begin(), kSecurityContexts.end()}, ",");
}

Result<mount::FileSystem> file_system_of(const Dataset& dataset) {
  if (dataset.value("keystatus") == "unavailable") {
    return fail(Error("the key of " + dataset.name + " is not loaded").advise("load it: zfs load-key " + dataset.name));
  }
  mount::FileSystem file_system{"zfs", {{"source", dataset.name}}, attributes_of(dataset)};
  // ZFS mounts snapshots there when a process looks for them in .zfs. Without it ZFS would mount them below the host's
  // root.
  file_system.options.push_back({"mntpoint", dataset.value("mountpoint")});
  if (dataset.value("readonly") == "on") file_system.options.push_back({"ro", ""});
  for (const char* property : kSecurityContexts) {
    const auto value = dataset.value(property);
    if (!value.empty() && value != "none") file_system.options.push_back({property, value});
  }
  return file_system;
}

bool is_mounted(const std::string& path) {
  struct statx status {};
  return ::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &status) == 0 &&
         (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// With zfs-fuse, its process has to unmount, so "zfs destroy" does it.
void unmount_place(const std::string& place) {
  if (kernel_has_zfs() && is_mounted(place)) ::umount2(place.c_str(), UMOUNT_NOFOLLOW);
}

void pause_when_busy() {
  constexpr timespec kPause{0, 50'000'000};
  ::nanosleep(&kPause, nullptr);
}

Result<std::string> run_when_free(const std::vector<std::string>& arguments) {
  auto done = run(arguments);
  for (int i = 1; i < kTriesWhenBusy && !done && done.error().code() == EBUSY; ++i) {
    pause_when_busy();
    done = run(arguments);
  }
  return done;
}

Result<void> mount_on(const std::string& dataset, const std::string& place) {
  if (is_mounted(place)) return {};
  // zfs-fuse mounts no dataset that is still mounted in another mount namespace.
  TRY(run_when_free({"mount", dataset}));
  // The zfs-fuse daemon mounts in its own mount namespace, which may be another one.
  if (!is_mounted(place)) return fail(dataset + " was mounted, but " + place + " does not show it");
  return {};
}

}  // namespace isolate::zfs
