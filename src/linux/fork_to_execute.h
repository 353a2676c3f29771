// Children that are to become other programs, also as children of another process, and children that make user
// namespaces.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/result.h"
#include "linux/process.h"

namespace isolate {

// A child that another child makes for this process (CLONE_PARENT of clone(2)), with rights that only that one has, and
// that this process waits for, while its maker ends.
class Adoption {
 public:
  // In the process that adopts, before it makes the maker.
  static Result<Adoption> prepare();
  // In the maker: tells of the child, which is no child of its own.
  Result<void> announce(const ChildProcess& child) const;
  // In the process that adopts, when the maker has ended: the child, or none where none was made.
  Result<std::optional<ChildProcess>> take();
  // Of the process that adopts.
  int pidfd() const { return pidfd_.get(); }

 private:
  Fd pidfd_;
  Fd reader_;
  Fd writer_;
};

// As fork_child. With an `adoption` the child is announced there, and what is returned is empty. The child has memory
// of its own. Sharing this process's (CLONE_VM) would save 0.2 ms, but a child that is killed while it changes the heap
// would leave it broken here.
Result<ChildProcess> fork_to_execute(const std::function<int()>& body, std::uint64_t namespaces = 0,
                                     const Adoption* adoption = nullptr);

// How many processes a user namespace and all below it may have together, whatever their users inside. The kernel
// counts those of all namespaces that one id of the parent namespace has made.
struct ProcessLimit {
  std::uint64_t most = UINT64_MAX;  // no limit
  // Make it as this id, who then owns it, which takes CAP_SETUID; otherwise it is the caller's.
  std::optional<std::uint32_t> counted_as;
};

// The same in a new user namespace: `map` gets the child's pid and writes its maps, before body runs. The child dies
// with its parent until it changes its ids.
Result<ChildProcess> fork_to_execute_mapped(const std::function<int()>& body, std::uint64_t namespaces,
                                            const ProcessLimit& processes,
                                            const std::function<Result<void>(const ChildProcess&)>& map,
                                            const Adoption* adoption = nullptr);

// A child in a new user namespace that does nothing but wait to be killed.
Result<ChildProcess> fork_namespace_holder(const ProcessLimit& processes = {});

}  // namespace isolate
