// The caller as a user of the guest: name, numbers and home, and the lines for them in /etc/passwd and /etc/group.
#pragma once

#include <string>
#include <string_view>

#include "share/share.h"

namespace isolate {

// The caller as --home makes them a user of the guest. Root stays root, with /root as their home. Errors: plain text:
// the caller's name can't be the name of a directory.
Result<GuestUser> guest_user(const Caller& caller);

// The text of /etc/passwd (passwd(5)): the lines of the root's own file, and one for the user in place of lines with
// their name or number.
std::string passwd_text(std::string_view of_root, const GuestUser& user);
// The same for /etc/group (group(5)) and the user's group. A group of the root with that number keeps its name.
// Otherwise the group is called as in `of_host`, the host's file, or else as the user.
std::string group_text(std::string_view of_root, std::string_view of_host, const GuestUser& user);

}  // namespace isolate
