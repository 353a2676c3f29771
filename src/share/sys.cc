// /sys. With the engine chroot it is the host's. Other engines get a read-only one that shows only the host's
// processors and memory nodes.
#include <fmt/format.h>

#include <cstdint>

#include "linux/file.h"
#include "linux/mount.h"
#include "share/share.h"

namespace isolate {
namespace {

constexpr const char* kSys = "/sys";
constexpr std::uint64_t kPlain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

RootMount on_sys(const char* source, bool read_only) {
  RootMount mount;
  mount.target = kSys;
  mount.source = source;
  mount.read_only = read_only;
  return mount;
}

std::optional<RootMount> plan_of_host(const RunRequest& request) {
  if (request.engine != EngineKind::chroot) return std::nullopt;
  return on_sys(kSys, false);
}

Result<void> mount_of_host(RootInProgress* root, const RootMount& mount, std::size_t /*number*/) {
  auto place = TRY(root->ordinary_directory(mount.target, root->may_create_targets()));
  auto tree = TRY(mount::copy_tree(AT_FDCWD, mount.source, true));
  TRY_VOID(mount::set_attributes(tree, {0, -1, true, true}, mount.source));
  return mount::attach(tree, place.get(), mount.target);
}

// For a root with an init, LXC mounts a /sys of its own over this one.
std::optional<RootMount> plan_processors(const RunRequest& request) {
  if (request.engine == EngineKind::chroot) return std::nullopt;
  return on_sys("", true);
}

std::string describe_processors(const RootMount& mount) {
  return fmt::format("mount processors on {} (the host's devices/system/cpu and node), read-only", mount.target);
}

// Attaches the host's directory /sys/devices/system/NAME in `parent`, with everything that is mounted below it. There
// may be such mounts, for example of lxcfs in a container, and the kernel does not let an ordinary user leave them out.
Result<void> attach_host_directory(int parent, const std::string& name) {
  const auto source = "/sys/devices/system/" + name;
  auto tree = mount::copy_tree(AT_FDCWD, source, true);
  // A host may have no memory nodes, or hide its /sys. Programs on such a host cope with that, so the guest's can too.
  if (!tree) return {};
  TRY_VOID(mount::set_attributes(*tree, {kPlain | MOUNT_ATTR_RDONLY, -1, true, true}, source));
  TRY_VOID(make_directory(parent, name, 0755));
  return mount::attach(*tree, TRY(open_file(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW)).get(), source);
}

Result<void> mount_processors(RootInProgress* root, const RootMount& mount, std::size_t /*number*/) {
  // A run on a directory does not make a /sys that the directory did not have.
  const bool create = root->may_create_targets() && root->traits().is_template;
  const auto place = root->ordinary_directory(mount.target, create);
  if (!place && place.error().code() == ENOENT) return {};
  if (!place) return fail(place.error());
  auto sys = TRY(root->scratch("sys", 0755, kPlain));
  TRY_VOID(mount::attach(sys, place->get(), mount.target));
  Fd parent;
  for (const char* name : {"devices", "system"}) {
    const int above = parent ? parent.get() : sys.get();
    TRY_VOID(make_directory(above, name, 0755));
    parent = TRY(open_file(above, name, O_PATH | O_DIRECTORY | O_NOFOLLOW));
  }
  for (const char* name : {"cpu", "node"}) TRY_VOID(attach_host_directory(parent.get(), name));
  root->close_at_the_end(std::move(sys), mount.target);
  return {};
}

}  // namespace

const Share kHostSys = {"sys", plan_of_host, describe_bind, nullptr, mount_of_host};
const Share kProcessors = {"sys", plan_processors, describe_processors, nullptr, mount_processors};

}  // namespace isolate
