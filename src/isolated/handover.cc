#include "isolated/handover.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "base/trace.h"
#include "linux/file.h"
#include "linux/mount.h"
#include "linux/process.h"
#include "linux/reporting_child.h"
#include "stage/layout.h"
#include "wire/manager.h"

namespace isolate {
namespace {

constexpr std::uint64_t kLayerAttributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

// A mount of a directory, and the name under which it is attached.
struct Part {
  std::string name;
  Fd tree;
};

bool is_same(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

// Directories of /proc, opened while this process is still in the host's mount namespace.
struct ProcDirectories {
  Fd top;
  Fd own_namespaces;
  Fd peer;
};

Result<void> check_user_namespace(const ProcDirectories& proc) {
  if (is_same(TRY(status_of(proc.peer.get(), "ns/user")), TRY(status_of(proc.own_namespaces.get(), "user")))) return {};
  return fail(EPERM, "the caller is in another user namespace than isolated; a lease can't be handed over");
}

Result<ProcDirectories> open_proc(const Peer& peer) {
  auto all = TRY(open_file(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY));
  auto own_namespaces = TRY(open_file(AT_FDCWD, "/proc/self/ns", O_PATH | O_DIRECTORY));
  auto of_peer = TRY(open_file(AT_FDCWD, fmt::format("/proc/{}", peer.pid), O_PATH | O_DIRECTORY));
  ProcDirectories proc{std::move(all), std::move(own_namespaces), std::move(of_peer)};
  // An early check saves work. The decisive one is check_entered().
  TRY_VOID(check_user_namespace(proc));
  const auto credentials = TRY(read_all(TRY(open_file(proc.peer.get(), "status", O_RDONLY)).get()));
  if (credentials.find(fmt::format("\nUid:\t{}\t", peer.uid)) == std::string::npos) return fail(ESRCH, "the caller");
  return proc;
}

// Returns the user namespace that owns this process's mount namespace.
Result<struct stat> owner_of_mounts(const ProcDirectories& proc) {
  const auto mounts = TRY(open_file(proc.own_namespaces.get(), "mnt", O_RDONLY));
  const Fd owner(static_cast<int>(TRY(trace::check(::ioctl(mounts.get(), NS_GET_USERNS), "NS_GET_USERNS", "mounts"))));
  return status_of(owner.get(), "", AT_EMPTY_PATH);
}

// Returns a directory's mount and inode. The mount reveals a chroot into a second mount of "/".
Result<std::pair<std::uint64_t, std::uint64_t>> mount_and_inode(int directory, const char* path) {
  struct statx status {};
  TRY(trace::check(::statx(directory, path, 0, STATX_INO | STATX_MNT_ID, &status), "statx", path));
  return std::pair{std::uint64_t{status.stx_mnt_id}, std::uint64_t{status.stx_ino}};
}

// Checks the namespace that this process has entered, and not where the peer was before, because the peer may change
// its namespaces and root at any time. A process in another user namespace has other ids than it seems to have and
// decides what its mount namespace shows. A process in a chroot could use the lease to get out of it.
Result<void> check_entered(const Peer& peer, const ProcDirectories& proc) {
  const auto own = TRY(status_of(proc.own_namespaces.get(), "user"));
  if (!is_same(TRY(owner_of_mounts(proc)), own)) {
    return fail(EPERM, "the caller's mounts are those of another user namespace; a lease can't be handed over");
  }
  const auto entered = TRY(status_of(proc.own_namespaces.get(), "mnt"));
  const auto root = TRY(mount_and_inode(AT_FDCWD, "/"));
  const auto root_of_peer = TRY(mount_and_inode(proc.peer.get(), "root/"));
  TRY_VOID(check_user_namespace(proc));
  const bool is_there = is_same(TRY(status_of(proc.peer.get(), "ns/mnt")), entered);
  if (has_ended(peer)) return fail(ESRCH, "the caller");
  if (is_there && root == root_of_peer) return {};
  return fail(EPERM, "the caller has a root directory of its own (chroot); a lease can't be handed over");
}

Result<Part> layer(const std::string& path, std::size_t number, int idmap) {
  auto tree = TRY(mount::copy_tree(AT_FDCWD, path, false));
  TRY_VOID(mount::set_attributes(tree, {kLayerAttributes, idmap, true, false}, path));
  return Part{stage::layer(number), std::move(tree)};
}

// Returns a mount of the directory with an overlay's upper and work directory.
Result<Part> overlay_clone(const std::string& path, int idmap) {
  auto tree = TRY(mount::copy_tree(AT_FDCWD, path, false));
  TRY_VOID(mount::set_attributes(tree, {MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, idmap, true, false}, path));
  return Part{stage::kClone, std::move(tree)};
}

Result<std::vector<Part>> overlay_parts(const RootSource& root, int idmap) {
  std::vector<Part> parts;
  for (std::size_t i = 0; i < root.lower.size(); ++i) parts.push_back(TRY(layer(root.lower[i], i, idmap)));
  parts.push_back(TRY(overlay_clone(root.directory, idmap)));
  return parts;
}

// Returns a mount of a clone that is a complete root. If its file system can't map ids, the mount is read-only.
Result<Part> whole_clone(const RootSource& root, int idmap, bool* read_only) {
  auto tree = TRY(open_root(root, false));
  const auto name = name_of_root(root);
  auto mapped = mount::set_attributes(tree, {MOUNT_ATTR_NODEV, idmap, true, false}, name);
  if (!mapped) {
    if (mapped.error().code() != EINVAL) return fail(std::move(mapped).error());
    *read_only = true;
    TRY_VOID(mount::set_attributes(tree, {kLayerAttributes, -1, true, false}, name));
  }
  return Part{stage::kRoot, std::move(tree)};
}

// Opens the stage as the peer sees it. It must belong to root, and no symbolic link may lead to it.
Result<Fd> open_stage() {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const long number = ::syscall(SYS_openat2, AT_FDCWD, stage::kOfRoot, &how, sizeof how);
  if (number < 0) return fail(Error(errno, stage::kOfRoot).within("in the caller's mount namespace"));
  Fd stage_directory(static_cast<int>(number));
  const auto status = TRY(status_of(stage_directory.get(), "", AT_EMPTY_PATH));
  if (status.st_uid != 0) return fail(std::string(stage::kOfRoot) + " does not belong to root");
  return stage_directory;
}

Result<void> attach_at(const Fd& tree, int directory, const char* name) {
  const auto place = TRY(open_file(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW));
  return mount::attach(tree, place.get(), name);
}

// Mounts a tmpfs on the stage and returns its top directory.
Result<Fd> attach_stage() {
  auto tmpfs = TRY(mount::make("tmpfs", {{"mode", "0755"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  for (const char* name : {stage::kRoot, stage::kParts, stage::kDoor})
    TRY_VOID(make_directory(tmpfs.get(), name, 0755));
  TRY_VOID(mount::attach(tmpfs, TRY(open_stage()).get(), stage::kOfRoot));
  return tmpfs;
}

// Call this after each setns(2) and change of ids, which clear the parent-death signal. The member has rights over
// processes in their user namespace. They may stop this process, but it must not outlive the daemon, and they must not
// trace it, which the kernel would allow with 1 in /proc/sys/fs/suid_dumpable.
Result<void> stay_out_of_reach(pid_t parent) {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail(errno, "prctl");
  die_with_parent();
  if (::getppid() != parent) return fail(ESRCH, "isolated");
  return {};
}

Result<void> enter_user_namespace(int user_namespace, pid_t parent) {
  TRY(trace::check(::setns(user_namespace, CLONE_NEWUSER), "setns", "user namespace"));
  return stay_out_of_reach(parent);
}

// Makes this process create and open files as root of the user namespace. For everything else it stays root of the
// host.
Result<void> use_files_as_root_inside(pid_t parent) {
  if (::setgroups(0, nullptr) != 0) return fail(errno, "setgroups");
  ::setfsgid(0);
  ::setfsuid(0);
  // Both calls return the previous id and report no error, so call them again to check.
  if (::setfsgid(0) != 0 || ::setfsuid(0) != 0) return fail("setfsuid: the ids were not changed");
  return stay_out_of_reach(parent);
}

// Mounts the layers and the clone's directory on the stage, for use in an overlay.
Result<void> attach_parts(const std::vector<Part>& parts, const Fd& stage_directory) {
  const auto tmpfs = TRY(mount::make("tmpfs", {{"mode", "0755"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  TRY_VOID(attach_at(tmpfs, stage_directory.get(), stage::kParts));
  for (const auto& part : parts) {
    TRY_VOID(make_directory(tmpfs.get(), part.name, 0755));
    TRY_VOID(attach_at(part.tree, tmpfs.get(), part.name.c_str()));
  }
  return {};
}

std::string on_stage(const char* name) { return stage::path(stage::kOfRoot, name); }

Result<void> unmount(const char* name) {
  const auto place = on_stage(name);
  TRY(trace::check(::umount2(place.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW), "umount", place));
  return {};
}

// Runs in a child, in a mount namespace that ends with the child. The overlay belongs to the user namespace, so device
// nodes on it do not work. The kernel mounts such an overlay only from parts in a mount namespace of the same user
// namespace, in which the member has rights. Two things protect the layers. Copying the mount namespace locks the flags
// of the parts, so that even a member who got in could not make a layer writable. And the member gets no namespace that
// contains a part: the id map makes the member the owner of files that other guests have open, and an owner may take
// leases on them (fcntl(2)).
Result<std::vector<Fd>> make_overlay(int user_namespace, std::size_t layers) {
  const pid_t parent = ::getppid();
  TRY_VOID(enter_user_namespace(user_namespace, parent));
  TRY_VOID(mount::new_namespace());
  TRY_VOID(use_files_as_root_inside(parent));
  const auto parts = on_stage(stage::kParts);
  TRY(trace::check(::chdir(parts.c_str()), "chdir", parts));
  mount::Overlay overlay{{}, stage::in_clone(stage::kUpper), stage::in_clone(stage::kWork), true};
  for (std::size_t i = 0; i < layers; ++i) overlay.lower.push_back(stage::layer(i));
  TRY_VOID(mount::mount_overlay(overlay, std::string("../") + stage::kRoot));
  std::vector<Fd> made;
  made.push_back(TRY(mount::copy_tree(AT_FDCWD, on_stage(stage::kRoot), false)));
  return made;
}

// Returns a detached mount of an overlay as the root of a clone. The overlay keeps its own references to its parts.
Result<Fd> overlay_of(const std::vector<Part>& parts, const Fd& stage_directory, int user_namespace) {
  TRY_VOID(attach_parts(parts, stage_directory));
  auto made = TRY(descriptors_from_child([&] { return make_overlay(user_namespace, parts.size() - 1); }));
  TRY_VOID(unmount(stage::kParts));
  return std::move(made.front());
}

// The parts that a lease with Nested::beside has in addition.
struct Beside {
  Fd mount_namespace;  // the mount namespace of the guest
  Fd door;             // to be attached in the lease's mount namespace; the guest's has a slave of it
};

// Mounts a slave of `door` in the guest's mount namespace and returns `door`. The kernel copies to the slave what is
// attached on `door`, and locks it, because it comes from another user namespace (attach_recursive_mnt, lock_mnt_tree;
// Linux 5.2).
Result<Fd> make_door() {
  const auto stage_directory = TRY(open_file(AT_FDCWD, stage::kOfRoot, O_PATH | O_DIRECTORY));
  const auto follower = TRY(mount::make("tmpfs", {{"mode", "0755"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  TRY_VOID(attach_at(follower, stage_directory.get(), stage::kDoor));
  TRY_VOID(mount::set_propagation(follower, MS_SHARED, stage::kDoor));
  auto door = TRY(mount::copy_tree(follower.get(), "", false));
  TRY_VOID(mount::set_propagation(follower, MS_SLAVE, stage::kDoor));
  return door;
}

// Runs in a child that is still in the mount namespace with the stage.
Result<std::vector<Fd>> make_beside(const ProcDirectories& proc, int user_namespace) {
  const pid_t parent = ::getppid();
  TRY_VOID(enter_user_namespace(user_namespace, parent));
  TRY_VOID(mount::new_namespace());
  TRY_VOID(use_files_as_root_inside(parent));
  std::vector<Fd> made;
  made.push_back(TRY(open_file(proc.top.get(), "self/ns/mnt", O_RDONLY)));
  made.push_back(TRY(make_door()));
  return made;
}

Result<Beside> prepare_beside(const ProcDirectories& proc, const LeaseNamespaces& namespaces) {
  if (namespaces.nested != wire::Nested::beside) return Beside();
  auto made = TRY(descriptors_from_child([&] { return make_beside(proc, namespaces.guest.get()); }));
  return Beside{std::move(made.at(0)), std::move(made.at(1))};
}

// Returns the user namespace that has to mount the overlay: set-user-id programs take effect only for processes in that
// namespace or below.
int owner_of_overlay(const LeaseNamespaces& namespaces) {
  return namespaces.nested == wire::Nested::beside ? namespaces.guest.get() : namespaces.user_namespace.get();
}

}  // namespace

Result<Handover> prepare_handover(const Peer& peer, const LeaseNamespaces& namespaces, const RootSource& root,
                                  Mapping mapping) {
  Handover handover;
  // Open this process's files in /proc while /proc is still the host's.
  const auto proc = TRY(open_proc(peer));
  const int idmap = mapping == Mapping::id_mapped ? namespaces.user_namespace.get() : -1;
  const bool is_overlay = !root.lower.empty();
  std::vector<Part> parts;
  if (is_overlay) {
    parts = TRY(overlay_parts(root, idmap));
  } else {
    parts.push_back(TRY(whole_clone(root, idmap, &handover.read_only)));
  }

  TRY(trace::check(::setns(peer.pidfd.get(), CLONE_NEWNS), "setns", "mount namespace of the caller"));
  TRY_VOID(check_entered(peer, proc));
  TRY_VOID(mount::new_namespace());
  // A copy of another clone's mount (a kept clone, or with zfs-fuse a leased one) would keep that clone from being
  // destroyed as long as this lease lasts.
  detach_mounted_clones();
  const auto stage_directory = TRY(attach_stage());
  Fd overlay;
  if (is_overlay) {
    overlay = TRY(overlay_of(parts, stage_directory, owner_of_overlay(namespaces)));
  } else {
    TRY_VOID(attach_at(parts.front().tree, stage_directory.get(), stage::kRoot));
  }
  auto beside = TRY(prepare_beside(proc, namespaces));
  // This copy belongs to the new user namespace, and so the kernel locks the flags of all mounts in it.
  TRY_VOID(enter_user_namespace(namespaces.user_namespace.get(), ::getppid()));
  TRY_VOID(mount::new_namespace());
  const auto own_stage = TRY(open_file(AT_FDCWD, stage::kOfRoot, O_PATH | O_DIRECTORY));
  if (overlay) TRY_VOID(attach_at(overlay, own_stage.get(), stage::kRoot));
  if (beside.door) TRY_VOID(attach_at(beside.door, own_stage.get(), stage::kDoor));
  handover.mount_namespace = TRY(open_file(proc.own_namespaces.get(), "mnt", O_RDONLY));
  handover.guest_mount_namespace = std::move(beside.mount_namespace);
  return handover;
}

}  // namespace isolate
