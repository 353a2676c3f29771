// The socket that isolated listens on: its own, or the one that systemd hands over (sd_listen_fds(3)).
#pragma once

#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

class Listener {
 public:
  // Takes descriptor 3 where LISTEN_PID and LISTEN_FDS say so; otherwise makes wire::kSocketPath, which belongs to root
  // and `group` before anybody can connect. The caller holds the lock of the daemon: a socket that nobody listens on
  // is replaced. Errors: somebody listens there already.
  static Result<Listener> open(gid_t group);
  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) = delete;
  ~Listener() { close(); }

  int fd() const { return socket_.get(); }
  // The next connection; an empty Fd when there is none. Errors: EMFILE, ENFILE.
  Result<Fd> accept() const;
  // Removes the socket's name if it was made here.
  void close();

 private:
  Listener(Fd socket, bool is_own) : socket_(std::move(socket)), is_own_(is_own) {}
  Fd socket_;
  bool is_own_;
};

}  // namespace isolate
