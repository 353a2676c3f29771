#include "linux/mount.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "base/text.h"
#include "base/trace.h"

namespace isolate::mount {

Result<Fd> copy_tree(int directory, const std::string& path, bool recursive) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  if (path.empty()) flags |= AT_EMPTY_PATH;
  if (recursive) flags |= AT_RECURSIVE;
  return Fd(
      static_cast<int>(TRY(trace::check(::syscall(SYS_open_tree, directory, path.c_str(), flags), "open_tree", path))));
}

Result<void> attach(const Fd& tree, int target, const std::string& subject) {
  TRY(trace::check(
      ::syscall(SYS_move_mount, tree.get(), "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
      "move_mount", subject));
  return {};
}

Result<void> set_attributes(const Fd& tree, const Attributes& attributes, const std::string& subject) {
  mount_attr raw{};
  raw.attr_set = attributes.set;
  if (attributes.idmap_userns >= 0) {
    raw.attr_set |= MOUNT_ATTR_IDMAP;
    raw.userns_fd = static_cast<std::uint64_t>(attributes.idmap_userns);
  }
  if (attributes.make_private) raw.propagation = MS_PRIVATE;
  const unsigned flags = AT_EMPTY_PATH | (attributes.recursive ? AT_RECURSIVE : 0U);
  TRY(trace::check(::syscall(SYS_mount_setattr, tree.get(), "", flags, &raw, sizeof raw), "mount_setattr", subject));
  return {};
}

Result<void> set_propagation(const Fd& tree, std::uint64_t propagation, const std::string& subject) {
  mount_attr raw{};
  raw.propagation = propagation;
  TRY(trace::check(::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &raw, sizeof raw), "mount_setattr",
                   "propagation of " + subject));
  return {};
}

Result<Fd> make(const char* type, const std::vector<Option>& options, std::uint64_t attributes) {
  Fd context(static_cast<int>(TRY(trace::check(::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC), "fsopen", type))));
  for (const auto& option : options) {
    const auto command = option.value.empty() ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
    const char* value = option.value.empty() ? nullptr : option.value.c_str();
    TRY(trace::check(::syscall(SYS_fsconfig, context.get(), command, option.key, value, 0), "fsconfig",
                     std::string(type) + " " + option.key));
  }
  TRY(trace::check(::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), "fsconfig create",
                   type));
  return Fd(static_cast<int>(
      TRY(trace::check(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, attributes), "fsmount", type))));
}

bool is_known(const char* type) {
  const Fd context(static_cast<int>(::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC)));
  return context || errno != ENODEV;
}

Result<void> mount_overlay(const Overlay& overlay, const std::string& target) {
  std::string options = "userxattr,lowerdir=" + text::join(overlay.lower, ":");
  if (!overlay.upper.empty()) options += ",upperdir=" + overlay.upper + ",workdir=" + overlay.work;
  if (overlay.throw_away) options += ",volatile";
  // Uses mount(2), which accepts a page of options. fsconfig(2) accepts only 256 bytes for the whole list of layers.
  const unsigned long flags = overlay.no_setuid ? MS_NOSUID : 0;
  TRY(trace::check(::mount("overlay", target.c_str(), "overlay", flags, options.c_str()), "mount overlay", options));
  return {};
}

Result<void> make_all_private() {
  TRY(trace::check(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "mount private", "/"));
  return {};
}

Result<void> copy_namespace() {
  TRY(trace::check(::unshare(CLONE_NEWNS), "unshare", "mount namespace (limit: sysctl user.max_mnt_namespaces)"));
  return {};
}

Result<void> new_namespace() {
  TRY_VOID(copy_namespace());
  return make_all_private();
}

Result<void> enter_root(int root) {
  TRY(trace::check(::fchdir(root), "chdir", "the new root"));
  TRY(trace::check(::syscall(SYS_pivot_root, ".", "."), "pivot_root", "."));
  TRY(trace::check(::umount2(".", MNT_DETACH), "umount", "the old root"));
  TRY(trace::check(::chdir("/"), "chdir", "/"));
  return {};
}

}  // namespace isolate::mount
