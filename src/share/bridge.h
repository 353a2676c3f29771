// Connects a container's network with a bridge of the host.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "linux/caller.h"
#include "linux/process.h"

namespace isolate {

// Waits, as a child of this process, until the container's side has made its network namespace, and puts one end of a
// veth pair into that, as eth0, the other into the bridge. The pair goes with the namespace.
class BridgeConnector {
 public:
  // Errors: there is no such bridge; what it takes to connect with it is not installed.
  static Result<void> check(const std::string& bridge, const Caller& caller);
  static Result<BridgeConnector> start(const std::string& bridge, const Caller& caller);

  // For isolate-lxc: a message on it says that its sender is in that namespace. The answer is empty or an error's text.
  int guest_end() const { return guest_end_.get(); }

 private:
  BridgeConnector(ChildProcess child, Fd guest_end) : child_(std::move(child)), guest_end_(std::move(guest_end)) {}
  ChildProcess child_;
  Fd guest_end_;
};

}  // namespace isolate
