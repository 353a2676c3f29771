#include "share/guest_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>

#include "linux/file.h"
#include "linux/mount.h"
#include "linux/root_path.h"
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
  // A container's systemd empties /tmp when it boots (tmpfiles.d(5)), but leaves mounts alone.
  TRY_VOID(mount::attach(TRY(mount::copy_tree(root.tmp(), kName, false)), directory.get(), kRuntimeDirectory));
  return directory_in_tmp(root, kName, 0700);
}

Result<Fd> directory_in_tmp(const RootInProgress& root, const char* name, mode_t mode) {
  const auto is_there = ::faccessat(root.tmp(), name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  auto directory = TRY(directory_in(root, root.tmp(), name, mode));
  if (is_there) return directory;
  // A container's systemd empties /tmp when it boots (tmpfiles.d(5)), but leaves mounts alone.
  const auto tree = TRY(mount::copy_tree(root.tmp(), name, false));
  TRY_VOID(mount::set_attributes(tree, {0, -1, true, false}, name));
  TRY_VOID(mount::attach(tree, directory.get(), name));
  return open_file(root.tmp(), name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
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

Result<std::optional<std::string>> text_of_root(const RootInProgress& root, const std::string& path) {
  if (root_path::open(root.root(), path, O_PATH | O_DIRECTORY)) return std::nullopt;
  const auto file = root_path::regular_file(root.root(), path);
  if (!file) return std::string();
  auto text = read_all(file->get());
  if (!text) return std::nullopt;
  return std::move(*text);
}

Result<void> cover_with_text(RootInProgress* root, const std::string& name, std::string_view text, bool read_only) {
  const auto file = TRY(open_file(root->stage(), name, O_CREAT | O_EXCL | O_WRONLY, 0644));
  TRY_VOID(write_all(file.get(), text, "/etc/" + name));
  TRY_VOID(give_to_guest(*root, root->stage(), name.c_str()));
  const auto tree = TRY(mount::copy_tree(root->stage(), name, false));
  const std::uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (read_only ? MOUNT_ATTR_RDONLY : 0);
  TRY_VOID(mount::set_attributes(tree, {attributes, -1, true, false}, "/etc/" + name));
  return root->cover_in_etc(tree, name);
}

Result<Fd> listen_for_guest(const Fd& directory, const std::string& name) {
  auto socket = TRY(listen_in(directory, name, SocketKind::stream));
  if (::fchmodat(directory.get(), name.c_str(), 0777, 0) != 0) return fail(errno, "chmod " + name);
  // A container's systemd empties /tmp and /tmp/.X11-unix when it boots, but leaves mounts alone.
  const auto place = TRY(open_file(directory.get(), name, O_PATH | O_NOFOLLOW));
  TRY_VOID(mount::attach(TRY(mount::copy_tree(directory.get(), name, false)), place.get(), name));
  return socket;
}

}  // namespace isolate
