// The host's /etc/resolv.conf, for guests that use the host's network.
#include <unistd.h>

#include "share/share.h"

namespace isolate {
namespace {

constexpr const char* kFile = "/etc/resolv.conf";

std::optional<RootMount> plan(const RunRequest& request) {
  if (!has_network_of_host(request)) return std::nullopt;
  RootMount mount;
  mount.target = kFile;
  mount.source = kFile;
  mount.read_only = true;
  return mount;
}

Result<void> open(RootInProgress* root, const RootMount& mount, std::size_t number) {
  // If the host has no such file, the guest sees the root's own.
  if (::access(mount.source.c_str(), R_OK) != 0) return {};
  return root->open_bind(mount, number);
}

Result<void> attach(RootInProgress* root, const RootMount& /*mount*/, std::size_t number) {
  auto tree = root->opened(number);
  if (!tree && tree.error().code() == ENOENT) return {};
  return root->cover_in_etc(TRY(std::move(tree)), "resolv.conf");
}

}  // namespace

const Share kResolvConf = {"resolv-conf", plan, describe_bind, open, attach};

}  // namespace isolate
