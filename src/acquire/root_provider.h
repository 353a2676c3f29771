// RootProvider: gets a run its root, and takes the root back at the end. There is a type for each origin of a root: a
// clone of the user's own store (with --dry-run: only its description), a clone that the daemon leases, a directory,
// and a lease that the caller has already. Each returns an AcquiredRoot.
#pragma once

#include <memory>

#include "acquire/acquired_root.h"
#include "base/fd.h"
#include "base/steps.h"
#include "limits/guest_group.h"
#include "linux/caller.h"
#include "pool/lease.h"
#include "request/request.h"

namespace isolate {

// Descriptors of the namespaces that the daemon has made for a lease. -1: the daemon has not made that namespace.
struct LeasedNamespaces {
  int user = -1;
  int mount = -1;  // the clone's root is mounted in it
  // The guest's own user namespace. If it does not lie below `user`, it has a mount namespace of its own as well.
  int guest_user = -1;
  int guest_mount = -1;
};

class RootProvider {
 public:
  RootProvider() = default;
  RootProvider(const RootProvider&) = delete;
  RootProvider& operator=(const RootProvider&) = delete;
  virtual ~RootProvider() = default;

  // Call this first. It decides where the guest's control group can be, and starts what takes long in another process
  // (the daemon, newuidmap), so that the caller can do other work meanwhile. Errors: those of acquire() that are known
  // already; a limit is not available.
  virtual Result<void> prepare(GuestGroup* group, Steps* steps);
  // Gets the root. Errors: no such template, with what to do; those of making a clone; those of the daemon.
  virtual Result<AcquiredRoot> acquire(Steps* steps) = 0;
  // The user to whom "/" of the root belongs on disk. Errors: those of looking at the root.
  virtual Result<uid_t> owner() { return 0; }
  // The root as a detached mount, if owner() had to mount it; empty otherwise. It keeps the clone in use.
  virtual Fd take_mounted_root() { return {}; }

  // Whether a run that began now would get the same root. Errors: that can't be known.
  virtual Result<bool> is_newest();

  // Records for isolatectl ps that a run has taken the warm guest on the root.
  virtual void begin_use() {}

  virtual LeasedNamespaces namespaces() const { return {}; }
  // The control group that the daemon has made for the guest; empty: it has made none.
  virtual std::string group() const { return ""; }
  // Closes the mount namespaces. Call this once the launcher is in them; from then on they end with the guest.
  virtual void let_go_of_mount_namespaces() {}
  // The pool of the clone, in which this run removes clones of killed runs. Null if the daemon or nobody does that.
  virtual Pool* pool() { return nullptr; }

  // Ends the use of the root without destroying it: from now on its clone does not count as in use. This is fast.
  // Call it only after acquire(), and not if the clone is to be kept.
  virtual Result<void> end_use(Steps* steps);
  // Call this last, even if acquire() failed. It destroys the clone, or keeps it (--keep). Errors: that failed; the
  // message says what becomes of the clone.
  virtual Result<void> give_back(Steps* steps);
};

// Returns the provider of the root that the request asks for. `owner` and `request` must outlive it.
// Errors: those of the template's name; those of the user's own store.
Result<std::unique_ptr<RootProvider>> provider_for(const RunRequest& request, OwnerNamespace* owner);
// Returns a provider of a lease's root. The holder keeps the lease after the run.
std::unique_ptr<RootProvider> provider_of(const Lease& lease);

}  // namespace isolate
