// /etc/hosts with localhost and the guest's name, as every container program provides it. It is a file in memory over
// the template's own file, which does not change.
#include <fcntl.h>
#include <fmt/format.h>

#include "linux/file.h"
#include "linux/root_path.h"
#include "share/guest_files.h"
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

Result<void> mount_hosts(RootInProgress* root, const RootMount& mount, std::size_t /*number*/) {
  const auto etc = root_path::open(root->root(), "/etc", O_PATH | O_DIRECTORY);
  const auto is_there = etc && status_of(etc->get(), kName, AT_SYMLINK_NOFOLLOW);
  // To mount the file here, isolate would have to make /etc/hosts first. That is not wanted in a directory that a run
  // works on, where only the command may leave files, and not possible in a read-only root.
  if (!is_there && (!root->traits().is_template || !root->may_create_targets())) return {};
  const auto of_root = TRY(text_of_root(*root, kFile));
  if (!of_root) return {};
  // If the host has no such file or it can't be read, the guest goes without the host's lines.
  const auto of_host = mount.source.empty() ? std::string() : read_file(mount.source).value_or("");
  return cover_with_text(root, kName, hosts_text(*of_root, of_host, root->traits().host_name), mount.read_only);
}

}  // namespace

const Share kHosts = {"hosts", plan, describe_hosts, nullptr, mount_hosts};

}  // namespace isolate
