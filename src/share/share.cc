#include "share/share.h"

namespace isolate {

std::vector<RootMount> plan_shares(const RunRequest& request) {
  std::vector<RootMount> mounts;
  for (const auto* share : {&kHostSys, &kProcessors, &kResolvConf, &kHosts, &kTun}) {
    auto mount = share->plan(request);
    if (!mount) continue;
    mount->kind = MountKind::share;
    mount->share = share;
    mounts.push_back(std::move(*mount));
  }
  return mounts;
}

bool has_network_of_host(const RunRequest& request) {
  return (request.share_network && bridge_of(request).empty()) || request.engine == EngineKind::chroot;
}

std::string bridge_of(const RunRequest& request) {
  // Only a container can have a network of its own that is connected with a bridge.
  const bool is_bridged = request.engine == EngineKind::lxc && request.share_network;
  return is_bridged ? request.lxc.bridge : "";
}

}  // namespace isolate
