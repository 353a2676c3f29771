#include "supervise/control_socket.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/trace.h"
#include "linux/socket.h"

namespace isolate {
namespace {

// Keeps the first of several descriptors and closes all others.
ControlSocket::Attached attached_to(const msghdr& header) {
  ControlSocket::Attached attached;
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(const_cast<msghdr*>(&header), control)) {
    if (control->cmsg_level != SOL_SOCKET) continue;
    if (control->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials{};
      std::memcpy(&credentials, CMSG_DATA(control), sizeof credentials);
      attached.sender = credentials.pid;
    }
    if (control->cmsg_type != SCM_RIGHTS) continue;
    const auto count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(control) + i * sizeof number, sizeof number);
      Fd descriptor(number);
      if (!attached.descriptor) attached.descriptor = std::move(descriptor);
    }
  }
  return attached;
}

}  // namespace

Result<ControlSocket> ControlSocket::make(Fd* guest_end) {
  auto ends = TRY(connected_sockets("control"));
  ControlSocket socket;
  socket.fd_ = std::move(ends[0]);
  *guest_end = std::move(ends[1]);
  const int on = 1;
  TRY(trace::check(::setsockopt(socket.fd(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on), "setsockopt", "SO_PASSCRED"));
  return socket;
}

bool ControlSocket::read(const Handler& handle) {
  if (!fd_) return false;
  protocol::Message message{};
  iovec data{&message, sizeof message};
  // There is room for the credentials and one descriptor. If the guest sends more, the kernel drops the rest.
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int))];
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = space;
  header.msg_controllen = sizeof space;
  const ssize_t got = ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  // isolate-init has closed its end and left a signal unread. The next call reads what it sent before that.
  if (got < 0 && errno == ECONNRESET) return true;
  if (got < 0) {
    if (errno != EINTR && errno != EAGAIN) close();
    return false;
  }
  // A received descriptor is open in this process now, whatever the message is. So it needs an owner first.
  auto attached = attached_to(header);
  if (got == 0) {
    close();
    return false;
  }
  const bool is_whole = got == static_cast<ssize_t>(sizeof message) && (header.msg_flags & MSG_TRUNC) == 0;
  if (is_whole) handle(std::move(attached), message);
  return true;
}

void ControlSocket::send(const protocol::Message& message) const {
  if (fd_) ::send(fd_.get(), &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace isolate
