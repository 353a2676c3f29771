// The kernel's keys (keyrings(7)): what keeps those of the caller out of a guest.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// Leaves the caller's session keyring for a new, empty one. A kernel without keys refuses that, and has nothing to
// hide.
void new_session_keyring();

// The files of /proc that name the keys of whoever reads them, as far as this kernel has them. An ordinary user's guest
// has the caller's id, and would read the names of the caller's keys there: each engine covers them with /dev/null.
std::vector<std::string> key_files();
// Covers them in a /proc that was made for the guest and is attached already.
Result<void> cover_key_files(const Fd& proc);

}  // namespace isolate
