// Children that execute other programs, also as children of another process, and children that create user namespaces.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/result.h"
#include "linux/process.h"

namespace isolate {

// Passes a child from the process that makes it (the maker) to the process that adopts it. The maker is a child of the
// adopting process and has rights that only it has. It creates the child with CLONE_PARENT (clone(2)), so that the
// adopting process is the child's parent and waits for it, while the maker ends.
class Adoption {
 public:
  // Called by the adopting process before it starts the maker.
  static Result<Adoption> prepare();
  // Called by the maker: passes the child's pid to the adopting process.
  Result<void> announce(const ChildProcess& child) const;
  // Called by the adopting process. Waits until the maker has announced a child or ended; returns the child, or nothing
  // if the maker created none.
  Result<std::optional<ChildProcess>> receive_child();
  // A pidfd of the adopting process.
  int pidfd() const { return pidfd_.get(); }

 private:
  Fd pidfd_;
  Fd reader_;
  Fd writer_;
};

// Like fork_child. With an `adoption` the child is announced there, and the returned ChildProcess is empty. The child
// has memory of its own. Sharing this process's (CLONE_VM) would save 0.2 ms, but a child that is killed while it
// changes the heap would leave this process's heap broken.
Result<ChildProcess> fork_to_execute(const std::function<int()>& body, std::uint64_t namespaces = 0,
                                     const Adoption* adoption = nullptr);

// The number of processes that a user namespace and all namespaces below it may have together, whatever user they run
// as. The kernel adds up the processes of all namespaces that the same id of the parent namespace has created.
struct ProcessLimit {
  std::uint64_t most = UINT64_MAX;  // UINT64_MAX: no limit
  // Creates the namespace as this id, which then owns it; needs CAP_SETUID. Without it the caller owns the namespace.
  std::optional<std::uint32_t> counted_as;
};

// Like fork_to_execute, in a new user namespace. `map` receives the child and writes its id maps before body runs. The
// child dies with its parent until it changes its ids.
Result<ChildProcess> fork_to_execute_mapped(const std::function<int()>& body, std::uint64_t namespaces,
                                            const ProcessLimit& processes,
                                            const std::function<Result<void>(const ChildProcess&)>& map,
                                            const Adoption* adoption = nullptr);

// Starts a child in a new user namespace. The child does nothing until it is killed.
Result<ChildProcess> fork_namespace_holder(const ProcessLimit& processes = {});

}  // namespace isolate
