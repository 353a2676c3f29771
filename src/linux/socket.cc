#include "linux/socket.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstring>

#include "base/trace.h"
#include "linux/file.h"
#include "linux/process_table.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Linux 6.5
#endif

namespace isolate {
namespace {

Result<sockaddr_un> address_in(const Fd& directory, const std::string& name) {
  return unix_address(fmt::format("/proc/self/fd/{}/{}", directory.get(), name));
}

Result<Fd> make_socket(SocketKind kind) {
  const int type = kind == SocketKind::stream ? SOCK_STREAM : SOCK_SEQPACKET;
  return Fd(
      static_cast<int>(TRY(trace::check(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket", "unix"))));
}

// The address of an abstract socket is not terminated by a zero byte, so its length counts.
Result<Fd> connect_abstract(const std::string& name) {
  auto address = TRY(unix_address(name));
  address.sun_path[0] = 0;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  auto socket = TRY(make_socket(SocketKind::stream));
  TRY(trace::check(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length), "connect", name));
  return socket;
}

// Returns a pidfd of the peer. SO_PEERPIDFD pins the process that connected; with an older kernel, another process may
// have got its pid by now.
Fd pidfd_of(int socket, pid_t pid) {
  int number = -1;
  socklen_t size = sizeof number;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &number, &size) == 0) return Fd(number);
  if (errno != ENOPROTOOPT) return {};
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

}  // namespace

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail(ENAMETOOLONG, "socket " + path);
  path.copy(address.sun_path, path.size());
  return address;
}

Result<Fd> listen_in(const Fd& directory, const std::string& name, SocketKind kind) {
  const auto hidden = "." + name;
  const auto address = TRY(address_in(directory, hidden));
  auto socket = TRY(make_socket(kind));
  TRY(trace::check(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind", name));
  constexpr int kMostWaiting = 16;
  constexpr int kMostWaitingInStreams = 128;  // programs connect several times when they start
  const int most = kind == SocketKind::stream ? kMostWaitingInStreams : kMostWaiting;
  auto shown = trace::check(::listen(socket.get(), most), "listen", name);
  if (shown) {
    shown = trace::check(::linkat(directory.get(), hidden.c_str(), directory.get(), name.c_str(), 0), "link", name);
  }
  ::unlinkat(directory.get(), hidden.c_str(), 0);
  if (!shown) return fail(std::move(shown).error());
  return socket;
}

Result<Fd> connect_in(const Fd& directory, const std::string& name) {
  const auto address = TRY(address_in(directory, name));
  auto socket = TRY(make_socket(SocketKind::messages));
  TRY(trace::check(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect",
                   name));
  return socket;
}

Result<std::array<Fd, 2>> connected_sockets(const char* subject, SocketKind kind) {
  const int type = kind == SocketKind::stream ? SOCK_STREAM : SOCK_SEQPACKET;
  int ends[2];
  TRY(trace::check(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), "socketpair", subject));
  return std::array{Fd(ends[0]), Fd(ends[1])};
}

Result<Fd> connect_stream(const std::string& name) {
  if (name.starts_with('@')) return connect_abstract(name);
  sockaddr_un address{};
  Fd directory;  // has to stay open until the socket is connected
  if (name.size() < sizeof address.sun_path) {
    address = TRY(unix_address(name));
  } else {
    const auto slash = name.rfind('/');
    if (slash == std::string::npos) return fail(ENAMETOOLONG, "connect " + name);
    directory = TRY(open_file(AT_FDCWD, name.substr(0, slash + 1), O_PATH | O_DIRECTORY));
    address = TRY(address_in(directory, name.substr(slash + 1)));
  }
  auto socket = TRY(make_socket(SocketKind::stream));
  TRY(trace::check(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect",
                   name));
  return socket;
}

void attach_descriptors(const std::vector<int>& descriptors, char* space, msghdr* header) {
  if (descriptors.empty()) return;
  const auto size = sizeof(int) * descriptors.size();
  std::memset(space, 0, CMSG_SPACE(size));
  header->msg_control = space;
  header->msg_controllen = CMSG_SPACE(size);
  auto* control = CMSG_FIRSTHDR(header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(control), descriptors.data(), size);
}

Result<void> send_message(int socket, std::string_view message, const std::vector<int>& descriptors) {
  if (descriptors.size() > kMostPassed) return fail(EINVAL, "descriptors");
  iovec data{const_cast<char*>(message.data()), message.size()};
  DescriptorSpace space;
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  attach_descriptors(descriptors, space.bytes, &header);
  TRY(trace::check(::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT), "sendmsg", "message"));
  return {};
}

void collect_descriptors(const msghdr& header, std::vector<Fd>* descriptors) {
  for (auto* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(const_cast<msghdr*>(&header), control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const auto count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(control) + i * sizeof number, sizeof number);
      descriptors->emplace_back(number);
    }
  }
}

Result<ReceivedMessage> receive_message(int socket, std::size_t most) {
  ReceivedMessage received;
  received.bytes.resize(most);
  iovec data{received.bytes.data(), most};
  DescriptorSpace space;
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = space.bytes;
  header.msg_controllen = sizeof space.bytes;
  const auto got = TRY(trace::check(::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT), "recvmsg", "message"));
  collect_descriptors(header, &received.descriptors);
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return fail(EMSGSIZE, "recvmsg");
  received.bytes.resize(static_cast<std::size_t>(got));
  return received;
}

Result<SocketPeer> socket_peer(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  TRY(trace::check(::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size), "getsockopt", "SO_PEERCRED"));
  return SocketPeer{credentials.uid, credentials.pid};
}

bool shares_pid_namespace(int socket, const SocketPeer& peer) {
  if (peer.pid <= 0) return false;
  const Fd pidfd = pidfd_of(socket, peer.pid);
  const auto own = process_status(::getpid());
  const auto theirs = process_status(peer.pid);
  if (!pidfd || !own || !theirs) return false;
  pollfd end{pidfd.get(), POLLIN, 0};
  const bool lives = ::poll(&end, 1, 0) == 0;
  return lives && theirs->numbers.size() == own->numbers.size();
}

}  // namespace isolate
