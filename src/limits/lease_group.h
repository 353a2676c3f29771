// Where the control groups of guests with limits are: in a tree that outlives the daemon, kept by "isolated
// --keep-groups", or where isolate itself may make them. They are root's files, or those of who runs isolate.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"
#include "linux/lock.h"

namespace isolate {

// The group of a lease below `parent`, the tree or a group of isolate's own; with -t, of a run. It need not be there.
std::string lease_group(const std::string& parent, const std::string& lease);
std::string lease_group_name(const std::string& lease);

// The tree, if there is one and it is alive: /run/isolate/control-group names it.
std::optional<std::string> group_tree();
// Why there is none, and what to do.
std::string no_group_tree();
// Makes this process's own group the tree: moves this process to a group of its own in it, hands all controllers that
// there are on, and writes the file. Errors: EBUSY there are other processes in it; as it was before then.
Result<std::string> make_group_tree();

// Which lease of the daemon's a group is for. It is over with the lock of the lease.
struct LeaseHolder {
  uid_t uid = 0;
  std::string state_file;  // the locked one
};
Result<void> set_lease_of_group(const std::string& group, const LeaseHolder& holder);
// Errors: it is for none of the daemon's.
Result<LeaseHolder> lease_of_group(const std::string& group);
bool is_lease_held(const LeaseHolder& holder);

enum class Ended {
  runs,             // of groups that a process of isolate's holds by their locks
  runs_and_leases,  // and those of leases of the daemon's, whose state files must be in this process's sight
};
// Of root's: groups are made, and ended ones removed, one at a time, so that nobody is seen between the making of a
// group and its lock.
Result<FileLock> lock_groups();
// Kills and removes the groups below `parent` that nobody holds any more, with the lock above held.
void remove_ended_groups(const std::string& parent, Ended which);

}  // namespace isolate
