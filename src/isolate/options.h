// The options of isolate. One table of them serves the command line, the configuration files and the help text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "isolate/refresh.h"
#include "request/request.h"

namespace isolate {

struct Options {
  RunRequest request;
  std::optional<RefreshCommand> refresh;  // if set, isolate refreshes a pool and runs no command
  bool trace = false;
  bool quiet = false;
  bool help = false;
  bool version = false;
  std::vector<std::string> warnings;  // lines for the user
  bool here = false;                  // --here: bind the current directory and start the command there
  bool engine_named = false;          // an option or a setting chose the engine
  bool directory_named = false;       // --chdir was given, so that --here must not change where the command starts
};

// Reads the configuration files, then argv, which overrides them, and the variables of the environment that isolate
// uses (hooks; with the lxc engine those of LxcSettings). Errors are plain text for the user. With --help and
// --version, mistakes in the configuration files are not reported.
Result<Options> parse_options(int argc, char** argv);

// Applies one setting, named as the long option; a switch takes "true" or "false" as its value.
// Errors are plain text: the option does not exist; the option does not accept the value.
Result<void> apply_setting(std::string_view name, const std::string& value, Options* options);

// The text of --help.
std::string help_text();

}  // namespace isolate
