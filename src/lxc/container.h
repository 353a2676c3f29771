// A container of LXC's on a root that is finished.
#pragma once

#include <lxc/lxccontainer.h>
#include <sys/types.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace isolate::lxc {

enum class Network { none, host, bridge };

struct ContainerRequest {
  std::string name;  // of one run alone: LXC's own socket is called after it
  std::string root;
  Network network = Network::none;
  bool boots = false;       // its first process is the init of a system
  bool shuts_down = false;  // which is shut down in order, and not just ended
  bool keeps_log = false;   // LXC's whole log goes to the descriptor kLogFd
  std::string
      ping_groups;  // that may ping, as sysctl net.ipv4.ping_group_range takes them; empty: as the kernel has it
  pid_t network_holder = -1;  // with a bridge: a process that is in the container's network
};

struct PutContainer {
  void operator()(lxc_container* container) const { ::lxc_container_put(container); }
};
using Container = std::unique_ptr<lxc_container, PutContainer>;

// Once, before any container is made. This process must be root of its user namespace, and have a mount namespace of
// its own, in which all that LXC writes is kept.
Result<void> prepare(ContainerRequest* request);
// The container, configured; each process that works with it makes one.
Result<Container> make_container(const ContainerRequest& request);
// Where the init of a system finds it at /run/host/socket: in a directory of its own, that is there after prepare().
std::string notify_socket();
// With the reasons that LXC has written down.
Error lxc_error(const std::string& what);

}  // namespace isolate::lxc
