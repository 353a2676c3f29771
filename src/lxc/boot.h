// Finds the init that a root brings, and waits until it has booted.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace isolate::lxc {

struct SystemInit {
  bool reports_boot = false;  // it is systemd, which sends READY=1 when it has booted; other inits send nothing
};
// Looks for /sbin/init in the root; symbolic links are followed as if the root were "/". Returns nothing if there is no
// such program, or if it is not executable.
std::optional<SystemInit> find_init(const std::string& root);

// The socket on which an init reports that it has booted (sd_notify(3), variable NOTIFY_SOCKET).
class BootNotice {
 public:
  // Makes the socket at `path`. Errors: those of socket(2) and bind(2); the path is too long.
  static Result<BootNotice> listen(const std::string& path);
  // Waits until the init reports that it has booted, or for 30 seconds. After 3 seconds, and again at the end of the 30
  // seconds, it writes a line about that to the descriptor `errors`. Other messages of the guest are ignored.
  void wait(int errors) const;

 private:
  explicit BootNotice(Fd socket) : socket_(std::move(socket)) {}
  Fd socket_;
};

}  // namespace isolate::lxc
