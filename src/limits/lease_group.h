// Where the control groups of guests with limits are: in a tree that outlives the daemon, kept by "isolated
// --keep-groups", or where isolate itself may make groups. Their files belong to root, or to the user who runs isolate.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"
#include "linux/lock.h"

namespace isolate {

// Returns the group of a lease, or of a run with -t, in `parent`. `parent` is the tree or a group of isolate's. The
// group need not exist.
std::string lease_group(const std::string& parent, const std::string& lease);
std::string lease_group_name(const std::string& lease);

// Returns the tree that /run/isolate/control-group names, if a process keeps it.
std::optional<std::string> group_tree();
// Returns why there is no tree, and what to do.
std::string no_group_tree();
// Makes this process's own group the tree: moves this process to a group in it, enables all available controllers, and
// writes the file. Errors: EBUSY the group contains other processes; then nothing has changed.
Result<std::string> make_group_tree();

// The daemon's lease that a group belongs to. The group's time ends when nobody holds the lock of the lease any more.
struct LeaseHolder {
  uid_t uid = 0;
  std::string state_file;  // the file that carries the lock
};
Result<void> set_lease_of_group(const std::string& group, const LeaseHolder& holder);
// Errors: the group belongs to no lease of the daemon.
Result<LeaseHolder> lease_of_group(const std::string& group);
bool is_lease_held(const LeaseHolder& holder);

// The groups that remove_ended_groups() removes.
enum class Ended {
  runs,             // those whose own lock no process of isolate holds any more
  runs_and_leases,  // also those of ended leases of the daemon; this process must be able to see their state files
};
// Serialises the making and removing of root's groups. Otherwise a new group could be taken for an ended one before it
// is locked.
Result<FileLock> lock_groups();
// Kills the processes in groups below `parent` that nobody holds any more, and removes the groups. The caller holds
// lock_groups().
void remove_ended_groups(const std::string& parent, Ended which);

}  // namespace isolate
