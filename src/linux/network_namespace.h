// Network namespaces for guests, and the right to ping in them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "linux/idmap.h"

namespace isolate {

// Moves this process to a new network namespace and brings up its only interface, the loopback device. Errors: ENOSPC
// the limit user.max_net_namespaces is reached.
Result<void> new_network_namespace();

// Lets every group of this process's user namespace open ICMP sockets (icmp(7), ping_group_range) in this process's
// network namespace, of which the process must be root. Returns the range in the format of the sysctl file. Errors:
// /proc is read-only or hides the setting.
Result<std::string> allow_ping();

// Returns the ranges to try for the groups of a map, widest first. The kernel compares ids as the host sees them: if
// the first group of a range has a higher host id than the last, the kernel takes the range for an empty one.
std::vector<std::string> ping_ranges(const std::vector<IdMapEntry>& map);

}  // namespace isolate
