// The table of the options of isolate.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "isolate/options.h"
#include "share/share.h"

namespace isolate {

struct Option {
  char letter = 0;  // the short name; 0 if the option has only a long name
  const char* name = nullptr;
  const char* value =
      nullptr;  // the placeholder for the value in the help text; null for a switch, which takes no value
  const char* help = nullptr;
  Result<void> (*set)(const std::string& value, Options* options) = nullptr;
  const ShareOption* share = nullptr;  // the option asks for this share, and `set` is null

  // Applies the option. A switch takes "true" or "false". Errors are plain text that names what is wrong with the
  // value.
  Result<void> apply(const std::string& text, Options* options) const;
  // Whether the option is about the command and not about the guest: a variable, the directory, the timeout.
  bool is_for_command() const;
  // Whether a value must follow. If not, only --NAME=VALUE gives one.
  bool needs_value() const { return value != nullptr && (share == nullptr || share->needs_value); }
};

// All options, in the order of the help text.
const std::vector<Option>& option_table();

}  // namespace isolate
