#include "isolated/listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/trace.h"
#include "wire/client.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83  // Linux 6.16
#endif

namespace isolate {
namespace {

constexpr int kFirstHandedOver = 3;

bool has_socket_of_systemd() {
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  return pid != nullptr && count != nullptr && std::to_string(::getpid()) == pid && std::string_view(count) == "1";
}

// A peer that sends descriptors then gets an error. Otherwise the kernel would close them here, which may take as long
// as their sender likes. Older kernels close them in the process that serves the connection, which delays only its own
// peer.
void refuse_descriptors(int socket) {
  const int off = 0;
  ::setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off);
}

Result<Fd> make_socket(gid_t group) {
  const std::string path = wire::kSocketPath;
  if (wire::Client::connect(path)) return fail("another process already listens on " + path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(errno, "remove " + path);
  Fd socket(static_cast<int>(
      TRY(trace::check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket", path))));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  static_assert(std::string_view(wire::kSocketPath).size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const mode_t before = ::umask(0777);
  const int bound = ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::umask(before);
  if (bound != 0) return fail(error, "bind " + path);
  TRY(trace::check(::lchown(path.c_str(), 0, group), "chown", path));
  TRY(trace::check(::chmod(path.c_str(), 0660), "chmod", path));
  TRY(trace::check(::listen(socket.get(), SOMAXCONN), "listen", path));
  return socket;
}

}  // namespace

Result<Listener> Listener::open(gid_t group) {
  const bool is_own = !has_socket_of_systemd();
  Fd socket = is_own ? TRY(make_socket(group)) : Fd(kFirstHandedOver);
  if (!is_own) {
    int is_listening = 0;
    socklen_t size = sizeof is_listening;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) != 0 || is_listening == 0) {
      return fail("LISTEN_FDS: descriptor 3 is not a listening socket");
    }
    ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC);
    ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  }
  refuse_descriptors(socket.get());
  return Listener(std::move(socket), is_own);
}

Result<Fd> Listener::accept() const {
  Fd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (connection) {
    refuse_descriptors(connection.get());
    return connection;
  }
  if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) return fail(errno, "accept");
  return Fd();
}

void Listener::close() {
  if (socket_ && is_own_) ::unlink(wire::kSocketPath);
  socket_.reset();
}

}  // namespace isolate
