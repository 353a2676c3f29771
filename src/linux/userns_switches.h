// Settings of the system that keep processes without rights on the host from creating user namespaces.
#pragma once

#include <string>

namespace isolate {

// Returns the first such sysctl with its value, for example "sysctl kernel.unprivileged_userns_clone is 0". Returns ""
// if no sysctl forbids user namespaces; something else may still forbid them.
std::string switch_against_user_namespaces();

// Returns why this process can't create a user namespace in which it has rights, such as a sysctl or a seccomp filter.
// It tries to create one. Returns "" if that works, or if a limit stops it that binds the daemon as well
// (user.max_user_namespaces).
std::string reason_against_user_namespaces();

}  // namespace isolate
