// Unix sockets: their addresses; those that keep message boundaries (SOCK_SEQPACKET), with descriptors beside the
// messages; and who is at their other end.
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

// In an open directory, so that a path may be of any length. Errors: ENAMETOOLONG the name; EADDRINUSE it exists.
Result<Fd> listen_in(const Fd& directory, const std::string& name);
// Errors: ECONNREFUSED nobody listens any more; EAGAIN too many wait; ENOENT.
Result<Fd> connect_in(const Fd& directory, const std::string& name);

// Errors: EAGAIN the other side does not read; EPIPE it is gone.
Result<void> send_message(int socket, std::string_view message, const std::vector<int>& descriptors = {});

constexpr std::size_t kMostPassed = 8;  // descriptors beside a message
struct alignas(cmsghdr) DescriptorSpace {
  char bytes[CMSG_SPACE(sizeof(int) * kMostPassed)] = {};
};
// Has `header` send descriptors along, at most kMostPassed; both outlive it.
void attach_descriptors(const std::vector<int>& descriptors, DescriptorSpace* space, msghdr* header);
struct ReceivedMessage {
  std::string bytes;  // empty: the other side is gone
  std::vector<Fd> descriptors;
};
// What is there, without waiting. Errors: EAGAIN nothing; EMSGSIZE more than `most` bytes or kMostPassed descriptors;
// all of it is gone then.
Result<ReceivedMessage> receive_message(int socket, std::size_t most);

// As of connect(2) or listen(2) (SO_PEERCRED, unix(7)).
struct SocketPeer {
  uid_t uid = 0;
  pid_t pid = 0;  // 0: it is not to be seen in this pid namespace
};
Result<SocketPeer> socket_peer(int socket);
// Whether it is in the very pid namespace of this process, and still lives: no guest is.
bool shares_pid_namespace(int socket, const SocketPeer& peer);

}  // namespace isolate
