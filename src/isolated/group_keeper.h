// Keeps the tree of control groups for guests with limits. The keeper is a separate process, so that the daemon can be
// restarted while guests run.
#pragma once

#include "base/result.h"

namespace isolate {

// Makes this process's own group the tree, notifies systemd (sd_notify(3)), and waits for SIGTERM or SIGINT. The groups
// stay. Errors: this process is not root; those of make_group_tree().
Result<void> keep_groups();

// Makes the daemon's own group the tree if there is no tree yet and no systemd that would start the keeper. If the
// kernel refuses, leases have no limits; that is logged, and members get an error with the reason.
void keep_groups_without_systemd();

// Kills the processes that are left in the groups of ended leases and runs, and removes the groups.
void remove_groups_of_ended_leases();

}  // namespace isolate
