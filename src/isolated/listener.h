// The listening socket of isolated: one that it makes itself, or one from systemd (sd_listen_fds(3)).
#pragma once

#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

class Listener {
 public:
  // Uses descriptor 3 if LISTEN_PID and LISTEN_FDS say so. Otherwise makes wire::kSocketPath, which belongs to root and
  // `group` before anybody can connect, and replaces a socket on which nobody listens. The caller holds the lock of the
  // daemon. Errors: another process listens there.
  static Result<Listener> open(gid_t group);
  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) = delete;
  ~Listener() { close(); }

  int fd() const { return socket_.get(); }
  // Returns the next connection, or an empty Fd if no client waits. Errors: EMFILE, ENFILE, ENOMEM, ENOBUFS.
  Result<Fd> accept() const;
  // Closes the socket, and removes its name if open() made it.
  void close();

 private:
  Listener(Fd socket, bool is_own) : socket_(std::move(socket)), is_own_(is_own) {}
  Fd socket_;
  bool is_own_;
};

}  // namespace isolate
