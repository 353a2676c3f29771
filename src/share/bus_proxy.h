// The filter between a guest and a message bus of the host: the program xdg-dbus-proxy.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "linux/process.h"

namespace isolate {

// Returns the path of the program. Errors: plain text: it is not installed.
Result<std::string> find_bus_proxy();

class BusProxy {
 public:
  // Starts the program with `arguments`: an address and rules. If `bus` holds a socket (O_PATH), the program connects
  // to it instead of the address. The program dies with this process. It listens in `directory`, or in a directory of
  // its own if this process can make no files there. When this returns, the socket has no name any more, so that only
  // this process can connect. Errors: the program ends before it is ready.
  static Result<BusProxy> start(const std::vector<std::string>& arguments, const Fd& directory, const Fd& bus);
  // The socket's path for this process.
  std::string socket() const;

 private:
  BusProxy(ChildProcess child, Fd life, Fd socket)
      : child_(std::move(child)), life_(std::move(life)), socket_(std::move(socket)) {}
  ChildProcess child_;
  Fd life_;  // the program ends when this is closed
  Fd socket_;
};

}  // namespace isolate
