// SocketRelay: a process outside the guest that connects a socket of the guest with a socket of the host. The guest can
// neither reach the host's socket itself nor send anything there that the relay does not pass on.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "linux/process.h"
#include "share/relay_loop.h"

namespace isolate {

struct RelayOptions {
  std::size_t most_connections = RelayLimits{}.connections;
  MakeEditor make_editor;  // called for each connection, in the relay's process; null: nothing is changed
  // Called in the relay's process for each connection to the target, before the relay sends anything. If it returns
  // false, the relay closes the connection: another server may own the target's path or abstract name by then. Null:
  // the relay trusts every server.
  TrustsHost trusts_host;
  // Called in the relay's process before it accepts the first connection. Gets the further descriptors of serve(), and
  // returns the target. Null: the target is that of start().
  std::function<Result<std::string>(std::vector<Fd> further)> prepare;
};

// The process has the caller's ids and no descriptor but its own. It hands bytes and descriptors on in both directions
// and in order, and holds at most 64 KiB for each direction of a connection. It reads nothing from one end while the
// other end does not take what was read. If descriptors can't be handed on, it closes them and the connection.
class SocketRelay {
 public:
  // `target` is a path, or '@' and the name of an abstract socket. The process waits until serve() is called, and dies
  // with this process. Errors: the limit of open files is too low.
  static Result<SocketRelay> start(std::string target, RelayOptions options = {});

  SocketRelay(SocketRelay&&) = default;
  SocketRelay& operator=(SocketRelay&&) = default;
  SocketRelay(const SocketRelay&) = delete;
  SocketRelay& operator=(const SocketRelay&) = delete;
  // Passes on what the guest has sent until now, for at most a second, and ends the process.
  ~SocketRelay();

  // The launcher calls this once, with a socket from listen_for_guest(). `further` is for `prepare`. Errors: the relay
  // has ended; the error of `prepare`.
  Result<void> serve(const Fd& listening, const std::vector<int>& further = {}) const;

  pid_t pid() const { return child_.pid(); }

 private:
  SocketRelay(ChildProcess child, Fd control, bool prepares)
      : child_(std::move(child)), control_(std::move(control)), prepares_(prepares) {}
  ChildProcess child_;
  Fd control_;
  bool prepares_;
};

}  // namespace isolate
