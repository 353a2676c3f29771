// Where a run's root comes from: a clone of the user's own store, a clone that the daemon leases, a directory, or a
// lease that the caller has already. A type for each, and one result, AcquiredRoot.
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

// The namespaces that the daemon has made for a lease; -1: it has not.
struct LeasedNamespaces {
  int user = -1;
  int mount = -1;  // the clone's root is mounted in it
  // The guest's own user namespace, and the mount namespace that belongs to it if that user namespace does not lie
  // below the other one.
  int guest_user = -1;
  int guest_mount = -1;
};

class RootProvider {
 public:
  RootProvider() = default;
  RootProvider(const RootProvider&) = delete;
  RootProvider& operator=(const RootProvider&) = delete;
  virtual ~RootProvider() = default;

  // Comes first: decides where the guest's limits can be. If the root is another process's work, this asks for it, and
  // the caller goes on meanwhile. Errors: those of acquire() that are known already; the limits are not available.
  virtual Result<void> ask(GuestGroup* group, Steps* steps);
  // Errors: no such template, and what to do; those of making clones and of the daemon.
  virtual Result<AcquiredRoot> acquire(Steps* steps) = 0;
  // The user to whom "/" belongs on disk. Errors: it can't be read.
  virtual Result<uid_t> owner() { return 0; }
  // The root as a detached mount, if owner() had to mount it; empty otherwise. It keeps the clone in use.
  virtual Fd take_mounted_root() { return {}; }

  virtual LeasedNamespaces namespaces() const { return {}; }
  // The control group that the daemon has made for the guest; empty: it has made none.
  virtual std::string group() const { return ""; }
  // Once the launcher is in the mount namespaces: from then on they end with the guest.
  virtual void let_go_of_mount_namespaces() {}
  // The pool that the clone is from; null: this process may not look after it.
  virtual Pool* pool() { return nullptr; }

  // Comes last, also after a failed acquire(): destroys or keeps the clone. Errors: that failed, and what becomes of
  // it.
  virtual Result<void> give_back(Steps* steps);
};

// The provider of the root that the request asks for. `owner` and `request` outlive it.
// Errors: those of the template's name; those of the user's own store.
Result<std::unique_ptr<RootProvider>> provider_for(const RunRequest& request, OwnerNamespace* owner);
// The one of a lease that stays its holder's.
std::unique_ptr<RootProvider> provider_of(const Lease& lease);

}  // namespace isolate
