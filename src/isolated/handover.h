// Handover: makes the mount namespace of a lease, with the clone's root in it. The member gets this namespace and its
// user namespace, but no descriptor of a mount: in a user namespace of their own the member could clear that mount's
// flags. The kernel locks the flags of mounts that were attached before their mount namespace was copied into one that
// the member owns (mount_namespaces(7)). The member gets an overlay as one complete mount, and none of its layers.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "isolated/lease_namespaces.h"
#include "isolated/peer.h"
#include "store/store.h"

namespace isolate {

enum class Mapping {
  id_mapped,    // the template's files belong to ids 0 to 65535 on disk
  as_they_are,  // the template's files belong to the guest's ids on disk
};

struct Handover {
  Fd mount_namespace;
  Fd guest_mount_namespace;  // only with Nested::beside
  bool read_only = false;    // the clone is read-only, because its file system can't map ids
};

// Mounts the clone's root on "root" in the stage (stage::kOfRoot). The mount namespace shows the host as the peer's
// process sees it, without the mounts in kCloneMounts. Afterwards this process is in the lease's namespaces and can do
// nothing else. With Nested::beside there is a second mount namespace with the same view, which belongs to the guest's
// user namespace. A mount on "door" in the stage appears there, too, and is locked, because it comes from another
// user namespace. Errors: EPERM the peer is in another user namespace or in a chroot; ESRCH it has ended.
Result<Handover> prepare_handover(const Peer& peer, const LeaseNamespaces& namespaces, const RootSource& root,
                                  Mapping mapping);

}  // namespace isolate
