// What RootBuilder mounts on the root's /sys.

#include "launch/root_builder.h"
#include "linux/file.h"
#include "linux/mount.h"

namespace isolate {
namespace {

constexpr std::uint64_t kPlain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

// Attaches the host's directory /sys/devices/system/NAME in `parent`. With all that is mounted below: a container's
// own view of its processors may be (lxcfs), and the kernel lets an ordinary user take only the whole.
Result<void> share(int parent, const std::string& name) {
  const auto source = "/sys/devices/system/" + name;
  auto tree = mount::copy_tree(AT_FDCWD, source, true);
  // A host may have no memory nodes, or hide its /sys: programs do without there, and so they do inside.
  if (!tree) return {};
  TRY_VOID(mount::set_attributes(*tree, {kPlain | MOUNT_ATTR_RDONLY, -1, true, true}, source));
  TRY_VOID(make_directory(parent, name, 0755));
  return mount::attach(*tree, TRY(open_file(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW)).get(), source);
}

}  // namespace

Result<void> RootBuilder::mount_host_sys(const RootMount& mount) {
  auto place = TRY(ordinary_directory(mount.target, may_create_targets()));
  auto tree = TRY(mount::copy_tree(AT_FDCWD, mount.source, true));
  TRY_VOID(mount::set_attributes(tree, {0, -1, true, true}, mount.source));
  return mount::attach(tree, place.get(), mount.target);
}

Result<void> RootBuilder::mount_processors(const RootMount& mount) {
  // A directory that is run on does not get a /sys that it did not have.
  const auto place = ordinary_directory(mount.target, may_create_targets() && !plan_.template_name.empty());
  if (!place && place.error().code() == ENOENT) return {};
  if (!place) return fail(place.error());
  sys_ = TRY(scratch("sys", 0755, kPlain));
  TRY_VOID(mount::attach(sys_, place->get(), mount.target));
  Fd parent;
  for (const char* name : {"devices", "system"}) {
    const int above = parent ? parent.get() : sys_.get();
    TRY_VOID(make_directory(above, name, 0755));
    parent = TRY(open_file(above, name, O_PATH | O_DIRECTORY | O_NOFOLLOW));
  }
  for (const char* name : {"cpu", "node"}) TRY_VOID(share(parent.get(), name));
  return {};
}

Result<void> RootBuilder::close_sys() const {
  if (!sys_) return {};
  return mount::set_attributes(sys_, {MOUNT_ATTR_RDONLY, -1, false, false}, "/sys");
}

}  // namespace isolate
