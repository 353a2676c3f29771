// User namespaces: made empty of processes, held by a descriptor, joined by those who need them.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"
#include "linux/fork_to_execute.h"
#include "linux/idmap.h"

namespace isolate {

enum class MapWriter {
  direct,     // this process may write the maps (root, or the owner inside a namespace)
  newuidmap,  // through the setuid helpers newuidmap(1) and newgidmap(1)
  self,       // one id, the caller's own: user_namespaces(7) allows that to everybody, without setgroups
};

// Errors, of all that make one: EPERM and ENOSPC come with advice on the sysctl or the AppArmor setting that forbids
// user namespaces.
Result<Fd> make_user_namespace(const IdMaps& maps, MapWriter writer, const ProcessLimit& processes = {});

// The same in two steps: newuidmap and newgidmap are at work in between, which is most of the time that it takes.
class PendingUserNamespace {
 public:
  static Result<PendingUserNamespace> start(const IdMaps& maps, MapWriter writer, const ProcessLimit& processes = {});
  // The process that has lent the namespace is told to end, and waited for when this object goes: whoever keeps it can
  // go on meanwhile.
  Result<Fd> finish();

 private:
  ChildProcess holder_;
  pid_t pid_ = -1;
  ChildProcess uid_helper_;
  ChildProcess gid_helper_;
  Fd helpers_errors_;  // what the two have to say
};

// Makes one below `above`, for which the kernel counts at most `most_processes` together. It is made by the id 0 of
// `above`; this process, root of the host, does not enter it and keeps its ids. Nobody with rights in `above` can look
// into the processes that make it. Errors: EPERM the host allows none there: with kernel.unprivileged_userns_clone=0
// the kernel asks for rights on the host, which no process in a user namespace has.
Result<Fd> make_user_namespace_below(int above, const IdMaps& maps, std::uint64_t most_processes);

// fork_to_execute in a user namespace below this process's own, which the child makes at its start.
Result<ChildProcess> fork_to_execute_below(const std::function<int()>& body, std::uint64_t namespaces,
                                           const IdMaps& maps, const ProcessLimit& processes,
                                           const Adoption* adoption = nullptr);

enum class Groups { drop, keep };  // the caller's supplementary groups
// Errors: none where the namespace denies it (one of one id), and they stay the caller's own.
Result<void> drop_groups();
// Becomes id 0 of the user namespace that this process is in. Groups are dropped where the namespace allows it.
Result<void> become_root(Groups groups = Groups::drop);
// The same after entering another one.
Result<void> become_root_in(int user_namespace, Groups groups = Groups::drop);

// Runs `body` in a child that is root in `user_namespace` (-1: just as the caller), and gives back its error, if any.
Result<void> run_as_root_in(int user_namespace, const std::function<Result<void>()>& body);

}  // namespace isolate
