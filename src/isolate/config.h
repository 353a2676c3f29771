// Configuration files: TOML tables whose keys are the long names of options.
#pragma once

#include "isolate/options.h"

namespace isolate {

// Applies /etc/isolate/config.toml, then the user's own file, which overrides it: $XDG_CONFIG_HOME/isolate/config.toml,
// or ~/.config/isolate/config.toml if that variable is not an absolute path. A file that does not exist is skipped.
// Errors are plain text that names file and line: the file can't be read, is not TOML, or has a setting that is unknown
// or has a bad value; the user's own file, or a directory above it, belongs to somebody other than the user and root,
// or other users can write to it.
Result<void> read_configuration(Options* options);

// Applies the settings in `text`. Errors call the file that it comes from `name`.
Result<void> apply_configuration(std::string_view text, const std::string& name, Options* options);

}  // namespace isolate
