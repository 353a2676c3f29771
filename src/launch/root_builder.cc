#include "launch/root_builder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/text.h"
#include "linux/file.h"
#include "linux/mount.h"
#include "linux/root_path.h"
#include "linux/terminal_mount.h"
#include "stage/layout.h"

namespace isolate {
namespace {

constexpr std::uint64_t kNoSetuidNoDevices = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

constexpr const char* kDeviceName = "device";

// Whether a device node works only on its own mount: a terminal opens only through the devpts mount that it belongs to.
bool is_tied_to_its_mount(dev_t device) {
  constexpr unsigned kFirstTerminals = 136;
  constexpr unsigned kLastTerminals = 143;
  const bool is_terminal = major(device) >= kFirstTerminals && major(device) <= kLastTerminals;
  return is_terminal || device == makedev(5, 2);
}

}  // namespace

namespace {

// The chroot engine keeps the host's name.
std::string name_of_guest(const RunPlan& plan) {
  char name[HOST_NAME_MAX + 1] = {};
  if (plan.start == EngineStart::enters_root && plan.engine.own.host_name.empty()) ::gethostname(name, sizeof name - 1);
  return *name != 0 ? name : plan.clone_id;
}

}  // namespace

RootBuilder::RootBuilder(const RunPlan& plan, int idmap_userns, const std::vector<std::unique_ptr<Held>>* held)
    : plan_(plan),
      traits_{!plan.template_name.empty(), plan.ids.idmap_binds, plan.ids.nested_private, name_of_guest(plan)},
      idmap_userns_(idmap_userns),
      held_(held) {}

Result<void> RootBuilder::map_ids(const Fd& tree, const std::string& path, bool recursive) {
  return mount::set_attributes(tree, {0, idmap_userns_, false, recursive}, "id map of " + path);
}

Result<void> RootBuilder::open_source(const std::string& path, const std::string& name, std::uint64_t attributes,
                                      bool idmap, bool recursive) {
  return add_source(TRY(mount::copy_tree(AT_FDCWD, path, recursive)), path, name, attributes, idmap, recursive);
}

Result<void> RootBuilder::add_source(Fd tree, const std::string& path, const std::string& name,
                                     std::uint64_t attributes, bool idmap, bool recursive) {
  const auto status = TRY(status_of(tree.get(), "", AT_EMPTY_PATH));
  if (idmap) {
    if (auto mapped = map_ids(tree, path, recursive); !mapped) {
      if (mapped.error().code() != EINVAL) return mapped;
      if (name == stage::kRoot) {
        attributes |= MOUNT_ATTR_RDONLY;
        is_read_only_ = true;
      }
      warnings_.push_back(unmapped_warning(path, name == stage::kRoot));
    }
  }
  TRY_VOID(mount::set_attributes(tree, {attributes, -1, true, recursive}, path));
  sources_.push_back({name, std::move(tree), S_ISDIR(status.st_mode)});
  return {};
}

Result<void> RootBuilder::open_bind(const RootMount& mount, std::size_t number) {
  const auto status = status_of(AT_FDCWD, mount.source);
  const auto shown = "bind " + text::printable(mount.source);
  if (!status) return fail(Error(status.error().code(), shown));
  // The user means a device that they name, but not each device in a directory that they name.
  const bool is_device = S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode);
  if (is_device && plan_.ids.idmap_binds && !is_tied_to_its_mount(status->st_rdev))
    return open_device(number, *status, shown);
  std::uint64_t attributes = is_device ? std::uint64_t{MOUNT_ATTR_NOSUID} : kNoSetuidNoDevices;
  if (mount.read_only) attributes |= MOUNT_ATTR_RDONLY;
  // A share binds files that everybody may read and the guest must not write, so they need no id map.
  const bool idmap = plan_.ids.idmap_binds && !is_device && mount.kind == MountKind::bind;
  auto opened = open_source(mount.source, stage::bind(number), attributes, idmap, S_ISDIR(status->st_mode));
  if (!opened) return fail(Error(opened.error().code(), shown));
  if (idmap) warn_of_bind(mount, *status);
  return opened;
}

void RootBuilder::warn_of_bind(const RootMount& mount, const struct stat& source) {
  const auto shown = "bind " + text::printable(mount.source);
  if (source.st_uid >= kGuestIds || source.st_gid >= kGuestIds) {
    warnings_.push_back(
        fmt::format("{}: it belongs to {}:{}; ids above {} belong to nobody inside, and only their "
                    "owner or root of the host can write there",
                    shown, source.st_uid, source.st_gid, kGuestIds - 1));
  }
  if (S_ISSOCK(source.st_mode)) {
    warnings_.push_back(fmt::format("{}: a server that checks who connects sees the guest as user {}, not as root",
                                    shown, plan_.ids.maps.uid.front().outside));
  }
}

namespace {

// Returns the host's id that stands for id `id` of the guest. If the map lacks `id`, returns that of the guest's root.
std::uint32_t mapped_id(const std::vector<IdMapEntry>& map, std::uint32_t id) {
  const auto& entry = map.front();
  return id < entry.count ? entry.outside + id : entry.outside;
}

}  // namespace

// The host's device may be open only to root, and root's guest has other ids. So the guest gets a node of its own. It
// works because its tmpfs is mounted before the launcher enters the user namespace.
Result<void> RootBuilder::open_device(std::size_t number, const struct stat& device, const std::string& subject) {
  auto directory = TRY(mount::make("tmpfs", {{"mode", "0755"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
  const auto uid = mapped_id(plan_.ids.maps.uid, device.st_uid);
  const auto gid = mapped_id(plan_.ids.maps.gid, device.st_gid);
  if (::mknodat(directory.get(), kDeviceName, device.st_mode, device.st_rdev) != 0 ||
      ::fchownat(directory.get(), kDeviceName, uid, gid, AT_SYMLINK_NOFOLLOW) != 0 ||
      ::fchmodat(directory.get(), kDeviceName, device.st_mode & 07777, 0) != 0) {
    return fail(errno, subject + ": make the device");
  }
  sources_.push_back({stage::bind(number), std::move(directory), true});
  devices_.insert(number);
  return {};
}

Result<void> RootBuilder::open_sources() {
  // The directory is missing after a boot, and the launcher can't make it once it is in the user namespace, which has
  // no rights in /run.
  TRY_VOID(make_directories(plan_.stage, 0755));
  for (std::size_t i = 0; i < plan_.root.lower.size(); ++i) {
    TRY_VOID(open_source(plan_.root.lower[i], stage::layer(i), kNoSetuidNoDevices | MOUNT_ATTR_RDONLY,
                         plan_.ids.idmap_root, false));
  }
  TRY_VOID(open_clone());
  for (std::size_t i = 0; i < plan_.mounts.size(); ++i) {
    const auto& mount = plan_.mounts[i];
    if (mount.kind == MountKind::bind) TRY_VOID(open_bind(mount, i));
    if (auto* holder = held(i)) {
      TRY_VOID(holder->open(this, mount, i));
    } else if (mount.share != nullptr && mount.share->open != nullptr) {
      TRY_VOID(mount.share->open(this, mount, i));
    }
  }
  return {};
}

Result<void> RootBuilder::open_clone() {
  const bool is_overlay = !plan_.root.lower.empty();
  // The kernel does not let an ordinary user copy a directory without the mounts below it, so copy them too.
  const bool recursive = !is_overlay && !plan_.ids.idmap_root && plan_.ids.new_namespace;
  // No device works on an overlay, because it is mounted inside the user namespace. A directory needs nodev for that.
  std::uint64_t attributes = !is_overlay && plan_.ids.new_namespace ? std::uint64_t{MOUNT_ATTR_NODEV} : 0;
  if (!is_overlay && plan_.engine.own.no_setuid) attributes |= MOUNT_ATTR_NOSUID;
  // A clone becomes read-only in finish(), when all its mount points exist.
  if (!is_overlay && plan_.read_only_root && !plan_.may_create_targets) attributes |= MOUNT_ATTR_RDONLY;
  const bool idmap = plan_.ids.idmap_root;
  if (is_overlay) return open_source(plan_.root.directory, stage::kClone, attributes, idmap, false);
  auto tree = opened_root_ ? std::move(opened_root_) : TRY(open_root(plan_.root, recursive));
  return add_source(std::move(tree), name_of_root(plan_.root), stage::kRoot, attributes, idmap, recursive);
}

Result<void> RootBuilder::attach_sources() {
  auto place = TRY(open_file(AT_FDCWD, plan_.stage, O_PATH | O_DIRECTORY));
  std::vector<mount::Option> options = {{"mode", "0755"}};
  if (plan_.memory_files != 0) options.push_back({"size", std::to_string(plan_.memory_files)});
  auto tmpfs = TRY(mount::make("tmpfs", options, kNoSetuidNoDevices));
  TRY_VOID(mount::attach(tmpfs, place.get(), plan_.stage));
  // Open the path again to get the new tmpfs: `place` is the directory below it.
  stage_ = TRY(open_file(AT_FDCWD, plan_.stage, O_PATH | O_DIRECTORY));
  TRY_VOID(make_directory(stage_.get(), stage::kRoot, 0755));
  for (const auto& source : sources_) {
    if (source.name != stage::kRoot) {
      if (source.is_directory) {
        TRY_VOID(make_directory(stage_.get(), source.name, 0755));
      } else {
        TRY(open_file(stage_.get(), source.name, O_CREAT | O_EXCL | O_WRONLY, 0644));
      }
    }
    auto target = TRY(open_file(stage_.get(), source.name, O_PATH | O_NOFOLLOW));
    TRY_VOID(mount::attach(source.tree, target.get(), source.name));
  }
  sources_.clear();
  return {};
}

Result<void> RootBuilder::find_root() {
  // Open both again: if the mount namespace was copied meanwhile, the old descriptors refer to mounts of the original.
  stage_ = TRY(open_file(AT_FDCWD, plan_.stage, O_PATH | O_DIRECTORY));
  root_ = TRY(open_file(stage_.get(), stage::kRoot, O_PATH | O_DIRECTORY));
  return {};
}

Result<void> RootBuilder::mount_root() {
  TRY_VOID(find_root());
  if (::fchdir(stage_.get()) != 0) return fail(errno, "chdir " + plan_.stage);
  if (plan_.root.lower.empty()) return {};
  mount::Overlay overlay{
      {}, stage::in_clone(stage::kUpper), stage::in_clone(stage::kWork), plan_.throw_away, plan_.engine.own.no_setuid};
  for (std::size_t i = 0; i < plan_.root.lower.size(); ++i) overlay.lower.push_back(stage::layer(i));
  TRY_VOID(mount::mount_overlay(overlay, stage::kRoot));
  return find_root();
}

Result<void> RootBuilder::reopen() {
  TRY_VOID(find_root());
  // Mounts that were copied from the namespace above are locked to their places, and pivot_root refuses them. So a
  // copy of the whole tree is mounted on top.
  auto copy = TRY(mount::copy_tree(root_.get(), "", true));
  TRY_VOID(mount::attach(copy, root_.get(), "root"));
  return find_root();
}

Result<Fd> RootBuilder::target_directory(const std::string& target) {
  auto directory = root_path::directory(root_.get(), target, may_create_targets());
  if (!directory && directory.error().code() == ENOENT) {
    return fail(fmt::format("{} is not there in the root, and --read-only keeps it from being made", target));
  }
  return name_file_in_the_way(std::move(directory), target);
}

Result<Fd> RootBuilder::name_file_in_the_way(Result<Fd> place, const std::string& target) const {
  if (place || place.error().code() != ENOTDIR) return place;
  const auto file = root_path::first_non_directory(root_.get(), target);
  return fail(fmt::format("bind on {}: {} is a file in the root, and would have to be a directory",
                          text::printable(target), text::printable(file.empty() ? target : file)));
}

Result<void> RootBuilder::attach_tree(const Fd& tree, const std::string& target, bool is_directory) {
  if (is_directory) {
    auto directory = target_directory(target);
    // In a clone, a directory replaces a dangling link. In the caller's own directory the link stays.
    if (!directory && !plan_.root.lower.empty() && may_create_targets()) {
      if (auto made = root_path::directory_in_place_of_link(root_.get(), target)) directory = std::move(made);
    }
    return mount::attach(tree, TRY(std::move(directory)).get(), target);
  }
  auto file = TRY(name_file_in_the_way(root_path::file(root_.get(), target, may_create_targets()), target));
  if (S_ISDIR(TRY(status_of(file.get(), "", AT_EMPTY_PATH)).st_mode)) {
    return fail(text::printable(target) + " is a directory in the root, and what is bound there is a file");
  }
  return mount::attach(tree, file.get(), target);
}

namespace {

struct Device {
  const char* name;
  unsigned minor;
};
constexpr unsigned kMemoryDevices = 1;
constexpr unsigned kTtyDevices = 5;

Result<void> bind_device(int directory, const char* name, unsigned major_number, unsigned minor_number) {
  const std::string path = std::string("/dev/") + name;
  auto tree = TRY(mount::copy_tree(AT_FDCWD, path, false));
  const auto status = TRY(status_of(tree.get(), "", AT_EMPTY_PATH));
  if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(major_number, minor_number)) {
    return fail("the host's " + path + " is not the device it should be");
  }
  TRY_VOID(mount::set_attributes(tree, {MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, -1, true, false}, path));
  TRY(open_file(directory, name, O_CREAT | O_EXCL | O_WRONLY, 0666));
  auto target = TRY(open_file(directory, name, O_PATH | O_NOFOLLOW));
  return mount::attach(tree, target.get(), path);
}

// Binds the terminal among 0, 1 and 2 as "console": ttyname(3) looks for it in /dev.
Result<void> bind_terminal(int directory) {
  int terminal = STDIN_FILENO;
  while (terminal <= STDERR_FILENO && ::isatty(terminal) != 1) ++terminal;
  if (terminal > STDERR_FILENO) return {};
  auto tree = read_only_terminal(terminal);
  if (!tree) return {};  // the terminal belongs to another mount namespace, so it has no name in this one
  TRY(open_file(directory, "console", O_CREAT | O_EXCL | O_WRONLY, 0600));
  auto target = TRY(open_file(directory, "console", O_PATH | O_NOFOLLOW));
  return mount::attach(*tree, target.get(), "/dev/console");
}

Result<void> attach_below(int directory, const char* name, const Fd& tree) {
  TRY_VOID(make_directory(directory, name, 0755));
  auto target = TRY(open_file(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW));
  return mount::attach(tree, target.get(), name);
}

}  // namespace

Result<Fd> RootBuilder::ordinary_directory(const std::string& target, bool create) const {
  const auto there = status_of(root_.get(), target.substr(1), AT_SYMLINK_NOFOLLOW);
  if (!there || !S_ISLNK(there->st_mode)) return root_path::directory(root_.get(), target, create);
  return fail(fmt::format("{} of the root is a symbolic link; it must be an ordinary directory", target));
}

Result<Fd> RootBuilder::scratch(const std::string& name, mode_t mode, std::uint64_t attributes) {
  TRY_VOID(make_directory(stage_.get(), name, mode));
  if (::fchmodat(stage_.get(), name.c_str(), mode, 0) != 0) return fail(errno, "chmod " + name);
  // The guest's root is id 1 in this user namespace, because id 0 is the caller.
  if (plan_.ids.nested_private && ::fchownat(stage_.get(), name.c_str(), 1, 1, 0) != 0) {
    return fail(errno, "chown " + name);
  }
  auto tree = TRY(mount::copy_tree(stage_.get(), name, false));
  TRY_VOID(mount::set_attributes(tree, {attributes, -1, true, false}, name));
  return tree;
}

Result<void> RootBuilder::mount_devices(const std::string& target) {
  auto place = TRY(ordinary_directory(target, may_create_targets()));
  auto tmpfs = TRY(scratch("dev", 0755, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
  TRY_VOID(mount::attach(tmpfs, place.get(), target));
  const int dev = tmpfs.get();  // this mount, even if something else is mounted on the path
  constexpr std::array<Device, 5> kDevices = {{{"null", 3}, {"zero", 5}, {"full", 7}, {"random", 8}, {"urandom", 9}}};
  for (const auto& device : kDevices) TRY_VOID(bind_device(dev, device.name, kMemoryDevices, device.minor));
  TRY_VOID(bind_device(dev, "tty", kTtyDevices, 0));
  if (!plan_.own_terminal) TRY_VOID(bind_terminal(dev));
  constexpr std::uint64_t kAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  auto terminals = mount::make("devpts", {{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}}, kAttributes);
  TRY_VOID(attach_below(dev, "pts", TRY(std::move(terminals))));
  TRY_VOID(attach_below(dev, "shm", TRY(scratch("shm", 01777, kAttributes | MOUNT_ATTR_NODEV))));
  constexpr std::array<std::array<const char*, 2>, 5> kLinks = {{{"pts/ptmx", "ptmx"},
                                                                 {"/proc/self/fd", "fd"},
                                                                 {"/proc/self/fd/0", "stdin"},
                                                                 {"/proc/self/fd/1", "stdout"},
                                                                 {"/proc/self/fd/2", "stderr"}}};
  for (const auto& link : kLinks) {
    if (::symlinkat(link[0], dev, link[1]) != 0) return fail(errno, std::string("symlink /dev/") + link[1]);
  }
  return {};
}

Result<Fd> RootBuilder::opened(std::size_t number) {
  const bool is_device = devices_.contains(number);
  const auto name = stage::bind(number) + (is_device ? std::string("/") + kDeviceName : "");
  return mount::copy_tree(stage_.get(), name, !is_device);
}

Result<void> RootBuilder::mount_tmpfs(const RootMount& mount, std::size_t number) {
  auto tree = TRY(scratch(fmt::format("s{}", number), mount.mode, kNoSetuidNoDevices));
  TRY_VOID(attach_tree(tree, mount.target, true));
  if (mount.target == "/tmp") tmp_ = std::move(tree);
  return {};
}

Result<void> RootBuilder::mount_in_root(std::size_t number) {
  const auto& mount = plan_.mounts[number];
  switch (mount.kind) {
    case MountKind::tmpfs:
      return mount_tmpfs(mount, number);
    case MountKind::devices:
      return mount_devices(mount.target);
    case MountKind::share:
      return held(number) != nullptr ? held(number)->mount(this, mount, number)
                                     : mount.share->mount(this, mount, number);
    case MountKind::bind:
      break;
  }
  auto tree = TRY(opened(number));
  const auto status = TRY(status_of(tree.get(), "", AT_EMPTY_PATH));
  return attach_tree(tree, mount.target, S_ISDIR(status.st_mode));
}

Result<void> RootBuilder::cover_in_etc(const Fd& tree, const std::string& name) {
  auto etc = TRY(target_directory("/etc"));
  // Mount on the name in /etc itself: a link is covered and not followed.
  auto target = open_file(etc.get(), name, O_PATH | O_NOFOLLOW);
  if (!target && target.error().code() == ENOENT && may_create_targets()) {
    TRY(open_file(etc.get(), name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0644));
    target = open_file(etc.get(), name, O_PATH | O_NOFOLLOW);
  }
  return mount::attach(tree, TRY(std::move(target)).get(), "/etc/" + name);
}

Result<void> RootBuilder::finish() {
  TRY(ordinary_directory("/proc", may_create_targets()));
  for (const auto& [target, tree, is_directory] : closed_at_the_end_) {
    TRY_VOID(mount::set_attributes(tree, {MOUNT_ATTR_RDONLY, -1, false, false}, target));
  }
  auto working_directory = root_path::directory(root_.get(), plan_.working_directory, false);
  if (!working_directory) {
    return fail(
        Error(working_directory.error().code(), "working directory " + text::printable(plan_.working_directory)));
  }
  if (plan_.read_only_root) TRY_VOID(mount::set_attributes(root_, {MOUNT_ATTR_RDONLY, -1, false, false}, "root"));
  return {};
}

}  // namespace isolate
