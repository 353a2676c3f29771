// A clone that isolated leases to a member of the group `isolate`, in namespaces that it has made for him.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "linux/caller.h"
#include "run/request.h"
#include "store/store.h"
#include "wire/client.h"

namespace isolate {

class DaemonLease {
 public:
  // Whether the clone comes from the daemon: for an ordinary user, unless he names a store or his own has the template.
  // Errors: those of the template's name.
  static Result<bool> is_wanted(const RunRequest& request, OwnerNamespace* owner);

  // Asks for one: the daemon is at work until it is received.
  // Errors of both: no daemon, not a member, no such template, too many leases, each with what to do; what can't be
  // asked of a leased clone. Nothing is left after an error.
  static Result<wire::Client> ask(const RunRequest& request, const GroupLimits& limits, const Caller& caller);
  static Result<DaemonLease> receive(wire::Client client, const RunRequest& request, const GroupLimits& limits,
                                     const Caller& caller);

  const wire::LeaseReply& reply() const { return reply_; }
  // Has the daemon move this process to the control group of the lease. For who is to be the guest's, as the caller.
  Result<void> enter_group() const;
  // Where the clone is in its mount namespace.
  RootSource root() const;
  int user_namespace() const { return descriptors_[wire::kUserNamespace].get(); }
  // -1 once it was let go of.
  int mount_namespace() const { return descriptors_[wire::kMountNamespace].get(); }
  // From here on it is that of who has entered it.
  void let_go_of_mount_namespace() { descriptors_[wire::kMountNamespace].reset(); }

 private:
  DaemonLease(wire::LeaseReply reply, std::vector<Fd> descriptors)
      : reply_(std::move(reply)), descriptors_(std::move(descriptors)) {}
  wire::LeaseReply reply_;
  std::vector<Fd> descriptors_;  // the lease ends when they are closed
};

}  // namespace isolate
