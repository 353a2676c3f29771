// Switches of the system that keep processes without rights on the host from making user namespaces.
#pragma once

#include <string>

namespace isolate {

// The first of them that is on, with its value, such as "sysctl kernel.unprivileged_userns_clone is 0"; empty: none is,
// and a namespace can be made unless something else forbids it.
std::string switch_against_user_namespaces();

}  // namespace isolate
