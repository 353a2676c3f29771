// Unix sockets: addresses, sockets that keep message boundaries (SOCK_SEQPACKET) and pass descriptors with the
// messages, sockets of other programs (SOCK_STREAM), and the process at the other end.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// Errors: ENAMETOOLONG.
Result<sockaddr_un> unix_address(const std::string& path);

// Both use a name in an open directory, so that the directory's path may be of any length. The name appears when the
// socket already listens, so a client that is refused knows that the listener has ended. Until then the socket has a
// name that begins with a dot. Errors: ENAMETOOLONG the name is too long; EEXIST it exists.
enum class SocketKind { messages, stream };
Result<Fd> listen_in(const Fd& directory, const std::string& name, SocketKind kind = SocketKind::messages);
// Errors: ECONNREFUSED nobody listens any more; EAGAIN too many connections wait; ENOENT.
Result<Fd> connect_in(const Fd& directory, const std::string& name);

// Makes both ends of a connection. Errors name it `subject`.
Result<std::array<Fd, 2>> connected_sockets(const char* subject, SocketKind kind = SocketKind::messages);

// Connects a stream socket without waiting. `name` is a path of any length, or '@' and the name of an abstract socket.
// Errors: as of connect_in; ENAMETOOLONG.
Result<Fd> connect_stream(const std::string& name);

// Does not wait. Errors: EAGAIN the socket's buffer is full, because the peer does not read; EPIPE the peer has closed
// it.
Result<void> send_message(int socket, std::string_view message, const std::vector<int>& descriptors = {});

constexpr std::size_t kMostPassed = 8;  // descriptors in one message
struct alignas(cmsghdr) DescriptorSpace {
  char bytes[CMSG_SPACE(sizeof(int) * kMostPassed)] = {};
};
// Makes `header` send the descriptors along. `space` has CMSG_SPACE bytes for all of them, aligned as cmsghdr is, and
// outlives `header`.
void attach_descriptors(const std::vector<int>& descriptors, char* space, msghdr* header);
// Takes the descriptors that recvmsg(2) has put into the control data of `header`.
void collect_descriptors(const msghdr& header, std::vector<Fd>* descriptors);
struct ReceivedMessage {
  std::string bytes;  // empty: the peer has closed the connection
  std::vector<Fd> descriptors;
};
// Receives one message without waiting. Errors: EAGAIN there is none; EMSGSIZE the message has more than `most` bytes
// or kMostPassed descriptors, and is lost.
Result<ReceivedMessage> receive_message(int socket, std::size_t most);

// The peer at the time of connect(2) or listen(2) (SO_PEERCRED, unix(7)).
struct SocketPeer {
  uid_t uid = 0;
  pid_t pid = 0;  // 0: the peer is not visible in this pid namespace
};
Result<SocketPeer> socket_peer(int socket);
// Says whether the peer still lives and is in the same pid namespace as this process. No guest is.
bool shares_pid_namespace(int socket, const SocketPeer& peer);

}  // namespace isolate
