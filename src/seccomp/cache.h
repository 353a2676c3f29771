// A cache of compiled filters, so that isolate compiles a profile only once.
#pragma once

#include "seccomp/profile.h"

namespace isolate::seccomp {

// Returns the filter of a profile with these capabilities. If `directory` does not have it, the profile is parsed and
// compiled, and the filter is kept there. `source` is the whole text of the profile. `sample` is a filter that this
// program was built with; it is a part of the key, so that a filter of another version of isolate or libseccomp is not
// used. If the cache can't be read or written, the filter is compiled. Errors: those of parse() and compile().
Result<Filter> cached_filter(const std::string& directory, const std::string& source, const CapabilitySet& capabilities,
                             const Filter& sample,
                             Result<Profile> (*parse)(std::string_view source, const CapabilitySet& capabilities));

}  // namespace isolate::seccomp
