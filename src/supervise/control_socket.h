// ControlSocket: isolate's end of the socket to isolate-init. The other end is in the guest, so isolate does not trust
// what it receives.
#pragma once

#include <sys/types.h>

#include <functional>

#include "base/fd.h"
#include "base/result.h"
#include "wire/init_protocol.h"

namespace isolate {

class ControlSocket {
 public:
  // The kernel delivers these together with a message.
  struct Attached {
    pid_t sender = -1;  // in this process's pid namespace; the kernel vouches for it
    Fd descriptor;
  };
  using Handler = std::function<void(Attached attached, const protocol::Message& message)>;

  // Makes both ends. `guest_end` is for the launcher.
  static Result<ControlSocket> make(Fd* guest_end);

  explicit operator bool() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }

  // Reads one packet without waiting, and calls `handle` if it is a message of the protocol. Returns false if there was
  // nothing to read. If the other end is closed, it closes this end too.
  bool read(const Handler& handle);
  // If isolate-init has gone or does not read, the message is lost. That is harmless: the supervisor notices both.
  void send(const protocol::Message& message) const;

 private:
  Fd fd_;
};

}  // namespace isolate
