// What mmdebstrap is told so that a Debian root comes from where the host's own packages come from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isolate {

struct DebianRequest {
  std::string suite;                 // bookworm, trixie
  std::vector<std::string> mirrors;  // URLs or lines of sources.list; empty: the host's
  std::string variant = "minbase";
  std::vector<std::string> include;  // packages
};

// Lines of sources.list for `suite`, from the output of `apt-get indextargets` in the format kIndexFormat: the host's
// repository of Debian itself, its updates, and the security repository. Empty where the host has none of Debian.
extern const char* const kIndexFormat;
std::vector<std::string> sources_for(std::string_view suite, std::string_view index_targets);

// "KEY \"VALUE\"" for each setting of the host's apt, in the form of `apt-config dump`, that tells how to reach a
// mirror.
std::vector<std::string> transport_settings(std::string_view apt_config);

// The whole command: writes a tar archive to its standard output. `as_root`: the caller is root.
Result<std::vector<std::string>> mmdebstrap_command(const DebianRequest& request, bool as_root);

}  // namespace isolate
