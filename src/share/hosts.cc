// /etc/hosts with localhost and the guest's name, as every container program provides it. It is a file in memory over
// the template's own file, which does not change.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>

#include "linux/file.h"
#include "linux/mount.h"
#include "linux/root_path.h"
#include "share/hosts_file.h"
#include "share/share.h"

namespace isolate {
namespace {

constexpr const char* kFile = "/etc/hosts";
constexpr const char* kName = "hosts";

std::optional<RootMount> plan(const RunRequest& request) {
  // A user who maintains a root has to see and change the root's own file.
  const bool is_maintained = request.engine == EngineKind::chroot && !request.directory.empty();
  if (request.lasting || is_maintained) return std::nullopt;
  RootMount mount;
  mount.target = kFile;
  if (has_network_of_host(request)) mount.source = kFile;
  // If the root's files stay after the run, the user would expect a change of /etc/hosts to stay as well. It would be
  // lost, so make the change fail instead.
  mount.read_only = request.keep || !request.directory.empty();
  return mount;
}

std::string describe_hosts(const RootMount& mount) {
  return fmt::format("mount hosts on {} (localhost and the guest's name){}", mount.target,
                     mount.read_only ? ", read-only" : "");
}

// Returns the text of the root's own file; "" if there is none. Returns nothing if it must stay as it is: there is a
// directory in its place, or it has more than 1 MiB.
Result<std::optional<std::string>> text_of_root(int root) {
  // O_NONBLOCK: it may be a pipe, and opening that would wait for a writer.
  const auto file = root_path::open(root, kFile, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file) return std::string();
  const auto mode = TRY(status_of(file->get(), "", AT_EMPTY_PATH)).st_mode;
  if (S_ISDIR(mode)) return std::nullopt;
  if (!S_ISREG(mode)) return std::string();
  auto text = read_all(file->get());
  if (!text) return std::nullopt;
  return std::move(*text);
}

Result<void> mount_hosts(RootInProgress* root, const RootMount& mount, std::size_t /*number*/) {
  const auto etc = root_path::open(root->root(), "/etc", O_PATH | O_DIRECTORY);
  const auto is_there = etc && status_of(etc->get(), kName, AT_SYMLINK_NOFOLLOW);
  // To mount the file here, isolate would have to make /etc/hosts first. That is not wanted in a directory that a run
  // works on, where only the command may leave files, and not possible in a read-only root.
  if (!is_there && (!root->traits().is_template || !root->may_create_targets())) return {};
  const auto of_root = TRY(text_of_root(root->root()));
  if (!of_root) return {};
  // If the host has no such file or it can't be read, the guest goes without the host's lines.
  const auto of_host = mount.source.empty() ? std::string() : read_file(mount.source).value_or("");
  const auto file = TRY(open_file(root->stage(), kName, O_CREAT | O_EXCL | O_WRONLY, 0644));
  TRY_VOID(write_all(file.get(), hosts_text(*of_root, of_host, root->traits().host_name), mount.target));
  if (root->traits().root_is_id_one && ::fchown(file.get(), 1, 1) != 0) return fail(errno, "chown " + mount.target);
  const auto tree = TRY(mount::copy_tree(root->stage(), kName, false));
  const std::uint64_t read_only = mount.read_only ? MOUNT_ATTR_RDONLY : 0;
  TRY_VOID(
      mount::set_attributes(tree, {MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | read_only, -1, true, false}, mount.target));
  return root->cover_in_etc(tree, kName);
}

}  // namespace

const Share kHosts = {"hosts", plan, describe_hosts, nullptr, mount_hosts};

}  // namespace isolate
