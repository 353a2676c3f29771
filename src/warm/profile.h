// Which runs can take a warm guest: those with the same profile. The profile is a text: the version of isolate, the
// options that decide how a guest is made, and what a process inherits from its parent.
#pragma once

#include <string>

#include "request/request.h"

namespace isolate {

// Errors: plain text that says which option no warm guest supports.
Result<void> check_can_be_warm(const RunRequest& request);

// Errors: the caller has no store.
Result<std::string> warm_profile(const RunRequest& request);
// A short name for the profile, for a directory. Different profiles can have the same name.
std::string name_of_profile(const std::string& profile);

}  // namespace isolate
