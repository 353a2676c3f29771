// What a guest finds in /etc/hosts.
#pragma once

#include <string>
#include <string_view>

namespace isolate {

// The lines of the root's own file, then those of the host's that name something new, then what is missing of
// localhost, for IPv4 and IPv6, and of `name`, the guest's own. See hosts(5).
std::string hosts_text(std::string_view of_root, std::string_view of_host, const std::string& name);

}  // namespace isolate
