// User namespaces: created without a process in them, held by a descriptor, and entered by processes that need them.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"
#include "linux/fork_to_execute.h"
#include "linux/idmap.h"

namespace isolate {

enum class MapWriter {
  direct,     // this process may write the maps (root, or the owner inside a namespace)
  newuidmap,  // the set-user-id programs newuidmap(1) and newgidmap(1) write the maps
  self,       // one id, the caller's own: user_namespaces(7) allows every user to map it, once setgroups is denied
};

// Creates a user namespace with these maps. Errors of all functions here that create one: EPERM and ENOSPC carry advice
// that names the sysctl or AppArmor setting that forbids user namespaces.
Result<Fd> make_user_namespace(const IdMaps& maps, MapWriter writer, const ProcessLimit& processes = {});

// The same in two steps, because newuidmap and newgidmap take most of the time: the caller can do other work between.
class PendingUserNamespace {
 public:
  static Result<PendingUserNamespace> start(const IdMaps& maps, MapWriter writer, const ProcessLimit& processes = {});
  // Waits for the maps and returns the namespace. The process that created the namespace has been told to end; it is
  // reaped when this object is destroyed, so the caller can go on meanwhile.
  Result<Fd> finish();

 private:
  ChildProcess holder_;
  pid_t pid_ = -1;
  ChildProcess uid_helper_;
  ChildProcess gid_helper_;
  Fd helpers_errors_;  // what newuidmap and newgidmap print on stderr
};

// Creates a namespace below `above` in which the kernel allows at most `most_processes` processes altogether. Id 0 of
// `above` owns it. This process, root of the host, does not enter `above` and keeps its ids; users with rights in
// `above` can't inspect the processes that create the namespace. Errors: EPERM the host allows no namespace there: with
// kernel.unprivileged_userns_clone=0 the kernel demands rights on the host, which no process in a user namespace has.
Result<Fd> make_user_namespace_below(int above, const IdMaps& maps, std::uint64_t most_processes);

// Like fork_to_execute, in a new user namespace below this process's own.
Result<ChildProcess> fork_to_execute_below(const std::function<int()>& body, std::uint64_t namespaces,
                                           const IdMaps& maps, const ProcessLimit& processes,
                                           const Adoption* adoption = nullptr);

enum class Groups { drop, keep };  // what happens to the caller's supplementary groups
// Drops the supplementary groups. Returns success if the namespace denies that, as one with a single id does; then this
// process keeps them.
Result<void> drop_groups();
// Becomes id 0 of this process's user namespace. Groups::drop drops the groups as drop_groups() does.
Result<void> become_root(Groups groups = Groups::drop);
// Enters the user namespace and becomes id 0 of it.
Result<void> become_root_in(int user_namespace, Groups groups = Groups::drop);

// Runs `body` in a child that is root in `user_namespace`, and returns the error of the body. -1 stands for no
// namespace: then `body` runs in this process.
Result<void> run_as_root_in(int user_namespace, const std::function<Result<void>()>& body);

}  // namespace isolate
