#include "share/guest_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/file.h"
#include "linux/mount.h"
#include "linux/socket.h"

namespace isolate {
namespace {

Result<void> give_to_guest(const RootInProgress& root, int directory, const char* name) {
  if (root.traits().root_is_id_one && ::fchownat(directory, name, 1, 1, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail(errno, std::string("chown ") + name);
  }
  return {};
}

Result<Fd> directory_in(const RootInProgress& root, int parent, const char* name, mode_t mode) {
  if (::mkdirat(parent, name, mode) == 0) {
    if (::fchmodat(parent, name, mode, 0) != 0) return fail(errno, std::string("chmod ") + name);
    TRY_VOID(give_to_guest(root, parent, name));
  } else if (errno != EEXIST) {
    return fail(errno, std::string("mkdir ") + name);
  }
  return open_file(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
}

}  // namespace

Result<Fd> runtime_directory(const RootInProgress& root) {
  constexpr const char* kName = kRuntimeDirectory + sizeof "/tmp";
  const bool is_there = ::faccessat(root.tmp(), kName, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  auto directory = TRY(directory_in_tmp(root, kName, 0700));
  if (is_there) return directory;
  // A container's systemd empties /tmp when it boots (tmpfiles.d(5)), but stops at mounts.
  TRY_VOID(mount::attach(TRY(mount::copy_tree(root.tmp(), kName, false)), directory.get(), kRuntimeDirectory));
  return directory_in_tmp(root, kName, 0700);
}

Result<Fd> directory_in_tmp(const RootInProgress& root, const char* name, mode_t mode) {
  return directory_in(root, root.tmp(), name, mode);
}

Result<Fd> directory_below(const RootInProgress& root, const Fd& directory, const char* name, mode_t mode) {
  return directory_in(root, directory.get(), name, mode);
}

Result<void> write_private_file(const RootInProgress& root, const Fd& directory, const char* name,
                                std::string_view content) {
  const auto file = TRY(open_file(directory.get(), name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0600));
  TRY_VOID(write_all(file.get(), content, name));
  return give_to_guest(root, directory.get(), name);
}

Result<void> attach_socket(const Fd& tree, const Fd& directory, const std::string& name) {
  TRY(open_file(directory.get(), name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0600));
  const auto target = TRY(open_file(directory.get(), name, O_PATH | O_NOFOLLOW));
  return mount::attach(tree, target.get(), name);
}

Result<Fd> listen_for_guest(const Fd& directory, const std::string& name) {
  auto socket = TRY(listen_in(directory, name, SocketKind::stream));
  if (::fchmodat(directory.get(), name.c_str(), 0777, 0) != 0) return fail(errno, "chmod " + name);
  return socket;
}

}  // namespace isolate
