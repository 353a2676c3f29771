// A root's own init, and how to know when it has booted.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace isolate::lxc {

struct SystemInit {
  bool tells_when_booted = false;  // it is systemd; of the others nobody knows
};
// Links are followed within the root. None: there is no such program.
std::optional<SystemInit> find_init(const std::string& root);

// The socket to which an init tells that it has booted (sd_notify(3)).
class BootNotice {
 public:
  static Result<BootNotice> listen(const std::string& path);
  // Until then, or for 30 seconds; says so in a line to the descriptor `errors` when it takes long. What else the guest
  // sends there is of no interest.
  void wait(int errors) const;

 private:
  explicit BootNotice(Fd socket) : socket_(std::move(socket)) {}
  Fd socket_;
};

}  // namespace isolate::lxc
