// The text of a guest's /etc/hosts.
#pragma once

#include <string>
#include <string_view>

namespace isolate {

// The lines of the root's own file; then the host's lines with new names; then lines for localhost (IPv4 and IPv6) and
// for `name`, the guest's own, if they are missing. See hosts(5).
std::string hosts_text(std::string_view of_root, std::string_view of_host, const std::string& name);

}  // namespace isolate
