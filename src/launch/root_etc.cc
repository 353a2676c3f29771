// What RootBuilder puts on files in the root's /etc.
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "launch/root_builder.h"
#include "linux/file.h"
#include "linux/mount.h"
#include "linux/root_path.h"
#include "share/hosts_file.h"

namespace isolate {

Result<void> RootBuilder::cover_in_etc(const Fd& tree, const std::string& name) {
  auto etc = TRY(target_directory("/etc"));
  // What is there is covered, also a link: the name in /etc itself is mounted on, wherever it would lead.
  auto target = open_file(etc.get(), name, O_PATH | O_NOFOLLOW);
  if (!target && target.error().code() == ENOENT && may_create_targets()) {
    TRY(open_file(etc.get(), name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0644));
    target = open_file(etc.get(), name, O_PATH | O_NOFOLLOW);
  }
  return mount::attach(tree, TRY(std::move(target)).get(), "/etc/" + name);
}

Result<void> RootBuilder::mount_resolv_conf(const RootMount& mount) {
  const auto number = static_cast<std::size_t>(&mount - plan_.mounts.data());
  auto tree = mount::copy_tree(stage_.get(), source_name(number), false);
  if (!tree && tree.error().code() == ENOENT) return {};  // the host has none either
  return cover_in_etc(TRY(std::move(tree)), "resolv.conf");
}

Result<void> RootBuilder::mount_hosts(const RootMount& mount) {
  constexpr const char* kName = "hosts";
  const auto present = root_path::open(root_.get(), "/etc", O_PATH | O_DIRECTORY);
  const auto is_there = present && status_of(present->get(), kName, AT_SYMLINK_NOFOLLOW);
  // A directory that is run on stays without the file, as does a root that may not be changed: nothing is left there
  // that no command has made.
  const bool is_directory_run = plan_.template_name.empty();
  if (!is_there && (is_directory_run || !may_create_targets())) return {};
  std::string of_root;
  // Without waiting: it may be a pipe.
  if (const auto file = root_path::open(root_.get(), mount.target, O_RDONLY | O_NONBLOCK | O_NOCTTY); file) {
    const auto mode = TRY(status_of(file->get(), "", AT_EMPTY_PATH)).st_mode;
    if (S_ISDIR(mode)) return {};
    // One of over 1 MiB is left as it is.
    auto text = S_ISREG(mode) ? read_all(file->get()) : std::string();
    if (!text) return {};
    of_root = std::move(*text);
  }
  // A host without the file, or one that can't be read, adds nothing.
  const auto of_host = mount.source.empty() ? std::string() : read_file(mount.source).value_or("");
  // The chroot engine leaves the host's name.
  char name[HOST_NAME_MAX + 1] = {};
  if (plan_.engine.program.empty()) ::gethostname(name, sizeof name - 1);
  const auto text = hosts_text(of_root, of_host, *name != 0 ? name : plan_.clone_id);
  const auto file = TRY(open_file(stage_.get(), kName, O_CREAT | O_EXCL | O_WRONLY, 0644));
  TRY_VOID(write_all(file.get(), text, mount.target));
  if (plan_.ids.nested_private && ::fchown(file.get(), 1, 1) != 0) return fail(errno, "chown " + mount.target);
  const auto tree = TRY(mount::copy_tree(stage_.get(), kName, false));
  const std::uint64_t read_only = mount.read_only ? MOUNT_ATTR_RDONLY : 0;
  TRY_VOID(
      mount::set_attributes(tree, {MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | read_only, -1, true, false}, mount.target));
  return cover_in_etc(tree, kName);
}

}  // namespace isolate
