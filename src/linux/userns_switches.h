// Switches of the system that keep processes without rights on the host from making user namespaces.
#pragma once

#include <string>

namespace isolate {

// The first of them that is on, with its value, such as "sysctl kernel.unprivileged_userns_clone is 0"; empty: none is,
// and a namespace can be made unless something else forbids it.
std::string switch_against_user_namespaces();

// Why this process can't make a user namespace that it has rights in, such as a switch that is on, or a filter of
// system calls; empty: it can, or what is in its way is in everybody's (user.max_user_namespaces). It is tried.
std::string reason_against_user_namespaces();

}  // namespace isolate
