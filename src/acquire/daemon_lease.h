// A clone that isolated leases to a member of the group `isolate`, in namespaces that it has made for him.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "linux/caller.h"
#include "plan/plan.h"
#include "request/request.h"
#include "store/store.h"
#include "wire/client.h"

namespace isolate {

class DaemonLease {
 public:
  // Whether the clone comes from the daemon: for an ordinary user, unless he names a store or his own has the template.
  // Errors: those of the template's name.
  static Result<bool> is_wanted(const RunRequest& request, OwnerNamespace* owner);

  // What was asked for: the daemon is at work until it is received.
  struct Asked {
    wire::Client client;
    wire::LeaseRequest request;
    std::string reason_against_user_namespaces;
  };
  // Errors of both: no daemon, not a member, no such template, too many leases, each with what to do; what can't be
  // asked of a leased clone. Nothing is left after an error.
  static Result<Asked> ask(const RunRequest& request, const GroupLimits& limits, const Caller& caller);
  static Result<DaemonLease> receive(Asked asked, const RunRequest& request, const Caller& caller);

  const wire::LeaseReply& reply() const { return reply_; }
  // Has the daemon move this process to the control group of the lease. For who is to be the guest's, as the caller.
  Result<void> enter_group() const;
  // Where the clone is in its mount namespace.
  RootSource root() const;
  int user_namespace() const { return descriptors_[wire::kUserNamespace].get(); }
  // -1 once it was let go of.
  int mount_namespace() const { return descriptors_[wire::kMountNamespace].get(); }
  // The guest's own user namespace, and the mount namespace that belongs to it; -1: there is none.
  int nested_user_namespace() const { return descriptor(wire::kNestedUserNamespace); }
  int nested_mount_namespace() const { return descriptor(wire::kNestedMountNamespace); }
  // From here on they are those of who has entered them.
  void let_go_of_mount_namespaces() {
    descriptors_[wire::kMountNamespace].reset();
    if (descriptors_.size() > wire::kNestedMountNamespace) descriptors_[wire::kNestedMountNamespace].reset();
  }
  // Changes the plan where the daemon has done what the launcher would do, and warns of what is weaker in the guest
  // since the daemon could not do all that was asked for.
  void adapt(RunPlan* plan) const;

 private:
  DaemonLease(wire::LeaseReply reply, std::vector<Fd> descriptors, std::string reason)
      : reply_(std::move(reply)), descriptors_(std::move(descriptors)), reason_(std::move(reason)) {}
  int descriptor(std::size_t number) const { return number < descriptors_.size() ? descriptors_[number].get() : -1; }
  wire::LeaseReply reply_;
  std::vector<Fd> descriptors_;  // the lease ends when they are closed
  std::string reason_;           // why this process can make no user namespace; empty: it can
};

}  // namespace isolate
