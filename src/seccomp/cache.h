// Compiled filters, kept so that a profile is compiled once.
#pragma once

#include "seccomp/profile.h"

namespace isolate::seccomp {

// The filter of a profile with these capabilities, from `directory` or compiled and kept there. `source` is all of the
// profile's text; `sample` is what the same program compiles of something known, so that what another version has kept
// is not taken. A cache that can't be read or written is not an error: then the filter is compiled. Errors: those of
// parse_oci_profile and compile.
Result<Filter> cached_filter(const std::string& directory, const std::string& source, const CapabilitySet& capabilities,
                             const Filter& sample,
                             Result<Profile> (*parse)(std::string_view source, const CapabilitySet& capabilities));

}  // namespace isolate::seccomp
