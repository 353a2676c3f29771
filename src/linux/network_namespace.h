// A network namespace of a guest's own, and who may ping in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "linux/idmap.h"

namespace isolate {

// Moves this process to a new network namespace, whose only interface, the loopback device, is up.
// Errors: ENOSPC user.max_net_namespaces is reached.
Result<void> new_network_namespace();

// Lets every group of this process's user namespace use ICMP sockets (icmp(7), ping_group_range) in the network
// namespace that this process is in, where it must be root. Returns the range as the sysctl file takes it.
// Errors: /proc is read-only here, or shows no settings.
Result<std::string> allow_ping();

// The ranges to try, widest first, for the groups of a map. The kernel compares ids of the host: where those of the
// first and the last group are in reverse order, it takes the widest range for an empty one.
std::vector<std::string> ping_ranges(const std::vector<IdMapEntry>& map);

}  // namespace isolate
