// The options of isolate: one table for the command line, the configuration files and the help text.
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
  std::optional<RefreshCommand> refresh;  // instead of a run
  bool trace = false;
  bool quiet = false;
  bool help = false;
  bool version = false;
  bool here = false;             // show the current directory and start there
  bool directory_named = false;  // where to start is named
};

// Reads the configuration files, then argv, which wins. Errors: plain text for the user.
Result<Options> parse_options(int argc, char** argv);

// Applies one setting, by the long name of an option. `value` of a switch is "true" or "false".
// Errors: plain text; there is no such option; the value is not of its form.
Result<void> apply_setting(std::string_view name, const std::string& value, Options* options);

std::string help_text();

}  // namespace isolate
