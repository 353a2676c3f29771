// DaemonLease: a clone that the daemon leases to a member of the group `isolate`, in namespaces that it has made for
// the lease.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "acquire/root_provider.h"
#include "wire/client.h"

namespace isolate {

class DaemonLease : public RootProvider {
 public:
  // Whether the clone comes from the daemon: for an ordinary user, unless they name a store or their own store has the
  // template. Errors: those of the template's name.
  static Result<bool> is_wanted(const RunRequest& request, OwnerNamespace* owner);

  DaemonLease(const RunRequest& request, const Caller& caller) : request_(request), caller_(caller) {}

  // The error for the user after the daemon has refused a method that takes the request's template.
  static Error error_of(const RunRequest& request, const Caller& caller, const wire::CallError& reason);

  // prepare() sends the request, and acquire() waits for the reply. Errors of both: no daemon; the caller is not a
  // member; no such template; too many leases; an option that a leased clone does not support. Each error says what to
  // do. After an error the caller has no lease.
  Result<void> prepare(GuestGroup* group, Steps* steps) override;
  Result<AcquiredRoot> acquire(Steps* steps) override;

  Result<bool> is_newest() override;
  void begin_use() override;

  LeasedNamespaces namespaces() const override;
  std::string group() const override { return reply_.group; }
  void let_go_of_mount_namespaces() override;
  // Closes the descriptors. The daemon notices that, and destroys the clone.
  Result<void> give_back(Steps* steps) override;

 private:
  Result<void> send_request(const GroupLimits& limits);
  Result<void> receive_reply();
  std::vector<std::string> warnings() const;
  int descriptor(std::size_t number) const { return number < descriptors_.size() ? descriptors_[number].get() : -1; }

  const RunRequest& request_;
  Caller caller_;
  std::optional<wire::Client> client_;  // the last request was sent to it
  wire::LeaseRequest asked_;
  wire::LeaseReply reply_;
  std::vector<Fd> descriptors_;                 // the lease ends when they are closed
  std::string reason_against_user_namespaces_;  // empty: this process can make user namespaces
};

}  // namespace isolate
