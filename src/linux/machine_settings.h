// The files of /proc through which root of the host controls the machine, such as sys/kernel/core_pattern.
#pragma once

#include <string>
#include <vector>

namespace isolate {

// Returns them, and directories of them, as names below /proc. The rest of /proc/sys belongs to the namespaces of the
// process that looks. Not every kernel has all of them.
std::vector<std::string> machine_settings();

// Says whether this process may change them through `proc`, a directory that is a /proc. Root of a user namespace may
// if it has the id of the host's root, as in some containers.
bool may_change_machine(int proc);

}  // namespace isolate
