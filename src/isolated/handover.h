// Handover: a user and a mount namespace made for a member, with the root of a clone in it. The member gets these two
// and no descriptor of a mount, since they could clear that mount's flags in a user namespace of their own. Mounts that
// were attached before their namespace was copied into one that the member owns have their flags locked
// (mount_namespaces(7)). Of an overlay the member gets the finished mount, and none of the layers.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "isolated/lease_namespaces.h"
#include "isolated/peer.h"
#include "store/store.h"

namespace isolate {

enum class Mapping {
  id_mapped,  // on disk the files belong to 0..65535
  as_they_are,
};

struct Handover {
  Fd mount_namespace;
  Fd guest_mount_namespace;  // with Nested::beside
  bool read_only = false;    // the clone's file system can't map ids
};

// The clone's root is on "root" below the stage. The view of the host in the mount namespace is that of the peer's
// process; what it has mounted below /run/isolate is not there. This process itself is in both namespaces afterwards,
// and good for nothing else. With Nested::beside there is a second mount namespace with the same view, which belongs to
// the guest's user namespace: what is mounted on "door" below the stage appears there, too, and the kernel locks it,
// since it comes from another user namespace's mounts. Errors: EPERM the peer is in another user namespace, or has a
// root of its own; ESRCH it has ended.
Result<Handover> prepare_handover(const Peer& peer, const LeaseNamespaces& namespaces, const RootSource& root,
                                  Mapping mapping);

}  // namespace isolate
