// Peer: who is at the other end of a connection, as the kernel tells it. Authority comes from ids alone; the pid serves
// to find the peer's view of the host, and is held by a descriptor.
#pragma once

#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;  // in this process's pid namespace; for logs
  Fd pidfd;
  bool is_root() const { return uid == 0; }
};

constexpr const char* kGroupOfMembers = "isolate";

// The gid of the group `isolate` as /etc/group, or another source of the system's, has it now. Errors: there is none;
// with what to do.
Result<gid_t> group_of_members();

// As at the time of connect(2) (SO_PEERCRED; unix(7)), without the descriptor.
Result<Peer> peer_of(int socket);
// Opens the descriptor (SO_PEERPIDFD, Linux 6.5). Errors: ESRCH the peer has ended.
Result<void> hold_process(int socket, Peer* peer);

// Root, or somebody who has exactly this group, as his own or as a supplementary one (SO_PEERGROUPS, Linux 4.13).
Result<bool> may_connect(int socket, const Peer& peer, gid_t group);

}  // namespace isolate
