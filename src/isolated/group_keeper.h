// The keeper of the tree in which guests with limits have their control groups: a process that does nothing else, so
// that the daemon can end and begin while they live.
#pragma once

#include "base/result.h"

namespace isolate {

// Makes this process's own group the tree, tells systemd that it is there (sd_notify(3)), and waits for SIGTERM or
// SIGINT. The groups stay. Errors: this is not root; those of make_group_tree.
Result<void> keep_groups();

// The daemon's own group becomes the tree where no systemd would start the keeper, and none is there. Where the kernel
// does not let it, members get no limits, and are told so.
void keep_groups_without_systemd();

// Of leases and runs that are over, what is still in their groups is killed.
void remove_groups_of_ended_leases();

}  // namespace isolate
