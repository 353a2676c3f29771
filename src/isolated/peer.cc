#include "isolated/peer.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "linux/idmap.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Linux 6.5
#endif

namespace isolate {
namespace {

Result<Fd> pidfd_of(int socket, pid_t pid) {
  int number = -1;
  socklen_t size = sizeof number;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &number, &size) == 0) return Fd(number);
  if (errno != ENOPROTOOPT) return fail(errno, "pidfd of the peer");
  // On an older kernel another process may have got the pid by now, so users of the descriptor compare the user id.
  number = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (number < 0) return fail(errno, "pidfd_open");
  return Fd(number);
}

}  // namespace

Result<gid_t> group_of_members() {
  const auto gid = group_id(kGroupOfMembers);
  if (gid) return *gid;
  return fail("there is no group 'isolate', whose members isolated serves; make it: groupadd --system isolate");
}

Result<Peer> peer_of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return fail(errno, "SO_PEERCRED");
  return Peer{credentials.uid, credentials.gid, credentials.pid, {}};
}

Result<void> hold_process(int socket, Peer* peer) {
  peer->pidfd = TRY(pidfd_of(socket, peer->pid));
  return {};
}

bool has_ended(const Peer& peer) {
  pollfd end{peer.pidfd.get(), POLLIN, 0};
  return ::poll(&end, 1, 0) != 0;
}

Result<bool> may_connect(int socket, const Peer& peer, gid_t group) {
  if (peer.is_root() || peer.gid == group) return true;
  std::vector<gid_t> groups(64);
  while (true) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
      groups.resize(size / sizeof(gid_t));
      return std::find(groups.begin(), groups.end(), group) != groups.end();
    }
    // The kernel has stored the required size in bytes.
    if (errno != ERANGE) return fail(errno, "SO_PEERGROUPS");
    groups.resize(size / sizeof(gid_t));
  }
}

}  // namespace isolate
