// Configures a container of LXC on a finished root.
#pragma once

#include <lxc/lxccontainer.h>
#include <sys/types.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace isolate::lxc {

enum class Network { none, host, bridge };

struct ContainerRequest {
  std::string name;  // unique for each run, because the name of LXC's own socket contains it
  std::string root;
  Network network = Network::none;
  bool boots = false;         // the container's first process is the init of a system
  bool shuts_down = false;    // at the end that system is shut down in order instead of being killed
  bool keeps_log = false;     // LXC writes its whole log to the descriptor kLogFd
  std::string ping_groups;    // value for the sysctl net.ipv4.ping_group_range; empty: leave the kernel's default
  pid_t network_holder = -1;  // with a bridge: a process in the network namespace that the container joins
};

struct PutContainer {
  void operator()(lxc_container* container) const { ::lxc_container_put(container); }
};
using Container = std::unique_ptr<lxc_container, PutContainer>;

// Prepares this process for LXC. Call it once, before make_container(). The process must be root of its user namespace
// and must have a mount namespace of its own, because it mounts a tmpfs for everything that LXC writes.
Result<void> prepare(ContainerRequest* request);
// Returns an object of liblxc for the container, with its configuration. Each process that works with the container has
// to make its own.
Result<Container> make_container(const ContainerRequest& request);
// The path for the BootNotice; prepare() makes its directory. The container's init finds the socket at
// /run/host/socket.
std::string notify_socket();
// An error that consists of `what` and the errors in LXC's log.
Error lxc_error(const std::string& what);

}  // namespace isolate::lxc
