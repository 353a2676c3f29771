// Recognizes sources that can't become a template, and says what to do instead.
#pragma once

#include <string>

#include "base/result.h"

namespace isolate {

// Checks that a directory can be a Linux root: it has a folder of programs, or a program at its top. Messages call it
// `source`. Errors: it can't be a root, or it is a part of a store; the message says what it looks like instead.
Result<void> check_is_root(const std::string& directory, const std::string& source);

// The advice for a source that does not exist: which sources isolatectl takes, and, if `from` looks like a URL, a
// release or a container image, how to make a template from that.
std::string advice_on_source(const std::string& from);

}  // namespace isolate
