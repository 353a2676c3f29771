// Configuration files: TOML, with the long names of options as keys.
#pragma once

#include "isolate/options.h"

namespace isolate {

// Applies /etc/isolate/config.toml, then $XDG_CONFIG_HOME/isolate/config.toml (or that of ~/.config). Files that do not
// exist are passed over. Errors: plain text with file and line; the user's own file, or a directory that it lies in,
// belongs to another user than root, or others can write it.
Result<void> read_configuration(Options* options);

// Applies the settings in `text`, which comes from the file `name`.
Result<void> apply_configuration(std::string_view text, const std::string& name, Options* options);

}  // namespace isolate
