// Builds the command line of mmdebstrap(1), so that a Debian root comes from the mirrors that the host itself uses.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isolate {

struct DebianRequest {
  std::string suite;                 // bookworm, trixie
  std::vector<std::string> mirrors;  // URLs or lines of sources.list(5); empty: the host's own mirrors
  std::string variant = "minbase";
  std::vector<std::string> include;  // packages
};

// The format for `apt-get indextargets --format` that sources_for() reads.
extern const char* const kIndexFormat;
// Makes lines of sources.list(5) for `suite` from the output of `apt-get indextargets`: the host's Debian repository,
// its updates, and the security repository. Returns no lines if the host has no Debian repository.
std::vector<std::string> sources_for(std::string_view suite, std::string_view index_targets);

// Selects from the output of `apt-config dump` the settings that are needed to reach a mirror, such as proxies. Each is
// returned in the form KEY "VALUE".
std::vector<std::string> transport_settings(std::string_view apt_config);

// Returns a command that writes a tar archive of the root to its standard output. `as_root` says that the caller is
// root; without root mmdebstrap has to use a user namespace. Errors: the suite is not a valid name.
Result<std::vector<std::string>> mmdebstrap_command(const DebianRequest& request, bool as_root);

}  // namespace isolate
