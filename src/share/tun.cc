// /dev/net/tun, the device that makes network tunnels, if LXC_MAP_TUN is set.
#include <sys/sysmacros.h>
#include <unistd.h>

#include "share/share.h"

namespace isolate {
namespace {

constexpr const char* kDevice = "/dev/net/tun";
constexpr const char* kVariable = "LXC_MAP_TUN";

std::optional<RootMount> plan(const RunRequest& request) {
  if (request.engine != EngineKind::lxc || !request.lxc.map_tun) return std::nullopt;
  RootMount mount;
  mount.target = kDevice;
  mount.source = kDevice;
  return mount;
}

// An ordinary user's guest gets the host's device node if the user may open it. Root's guest has other ids than root,
// and could often not open the host's node. So it gets a node of its own that everybody may open.
Result<void> open(RootInProgress* root, const RootMount& mount, std::size_t number) {
  if (!root->traits().maps_ids) {
    if (::access(mount.source.c_str(), R_OK | W_OK) != 0) {
      return fail(errno, std::string(kVariable) + ": " + mount.source);
    }
    return root->open_bind(mount, number);
  }
  struct stat tun {};
  tun.st_mode = S_IFCHR | 0666;
  tun.st_rdev = makedev(10, 200);
  return root->open_device(number, tun, kVariable);
}

Result<void> attach(RootInProgress* root, const RootMount& mount, std::size_t number) {
  return root->attach_tree(TRY(root->opened(number)), mount.target, false);
}

}  // namespace

const Share kTun = {"tun", plan, describe_bind, open, attach};

}  // namespace isolate
