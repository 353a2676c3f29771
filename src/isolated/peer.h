// Peer: the process at the other end of a connection, as the kernel reports it. Only its ids give it rights. Its pid
// serves to find its view of the host, and is held by a pidfd.
#pragma once

#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;  // in this process's pid namespace
  Fd pidfd;
  bool is_root() const { return uid == 0; }
};

constexpr const char* kGroupOfMembers = "isolate";

// Returns the id of the group `isolate` from /etc/group or another source of the system. Errors: there is no such
// group, with advice.
Result<gid_t> group_of_members();

// Returns the peer at the time of connect(2) (SO_PEERCRED; unix(7)), without its pidfd.
Result<Peer> peer_of(int socket);
// Opens the peer's pidfd (SO_PEERPIDFD, Linux 6.5). Errors: ESRCH the peer has ended.
Result<void> hold_process(int socket, Peer* peer);

// Says whether the process has ended. The peer is held.
bool has_ended(const Peer& peer);

// True for root, and for a peer whose primary or supplementary groups contain `group` (SO_PEERGROUPS, Linux 4.13).
Result<bool> may_connect(int socket, const Peer& peer, gid_t group);

}  // namespace isolate
