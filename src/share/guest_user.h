// The caller as a user of the guest: name, ids and home, and the lines for them in /etc/passwd and /etc/group.
#pragma once

#include <string>
#include <string_view>

#include "share/share.h"

namespace isolate {

// Returns the user that the command runs as with --home: the caller. Root stays root, with /root as home. Errors: plain
// text: the caller's name can't be the name of a directory.
Result<GuestUser> guest_user(const Caller& caller);

// The text of /etc/passwd (passwd(5)): the lines of the root's own file, with one line for the user in place of all
// lines with the same name or id.
std::string passwd_text(std::string_view of_root, const GuestUser& user);
// The same for /etc/group (group(5)) and the user's group. A group of the root with that id keeps its name. Otherwise
// the group has the name that `of_host`, the host's file, gives it, or else the user's name.
std::string group_text(std::string_view of_root, std::string_view of_host, const GuestUser& user);

}  // namespace isolate
