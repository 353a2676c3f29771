// What is no source of a template, and what to do instead.
#pragma once

#include <string>

#include "base/result.h"

namespace isolate {

// Looks whether a directory can be a Linux root: it has a folder of programs, or a program. `source`: what messages
// call it. Errors: it can't, or it is a part of a store, and what it looks like instead.
Result<void> check_is_root(const std::string& directory, const std::string& source);

// For a source that does not exist: what sources there are, and how to get a root from where `from` seems to come.
std::string advice_on_source(const std::string& from);

}  // namespace isolate
