// Keeps the caller's kernel keys (keyrings(7)) out of the guest.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// Leaves the caller's session keyring for a new, empty one. Errors are not reported: only a kernel without keys
// refuses, and there the caller has no keys to hide.
void new_session_keyring();

// Returns the files of /proc that list keys, as far as this kernel has them. They show the keys of the process that
// reads them. A guest of an ordinary user has the caller's id and could read the names of the caller's keys there, so
// each engine covers these files with /dev/null.
std::vector<std::string> key_files();
// Mounts /dev/null over files of /proc, given by their paths, in `proc`, the guest's already attached /proc.
Result<void> cover_files_of_proc(const Fd& proc, const std::vector<std::string>& files);

}  // namespace isolate
