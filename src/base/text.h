// Small functions on text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isolate::text {

// Parses a decimal number from `least` to `most`, without sign, blanks or leading zeros. Errors: plain text that begins
// with `what` and names the allowed range.
Result<std::uint64_t> number(std::string_view text, std::string_view what, std::uint64_t least, std::uint64_t most);

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// Returns the text with every control character shown as \xNN, so that text from others can't steer a terminal or forge
// lines in a log.
std::string printable(std::string_view text);

// Returns the text quoted as one word of a shell command line, for commands that are shown to people.
std::string shell_quoted(std::string_view text);

// True if the text has 1 to `longest` characters from [A-Za-z0-9._-] and begins with a letter or digit.
bool is_name(std::string_view text, std::size_t longest);

// For people, such as "1.5 MiB".
std::string human_size(std::uint64_t bytes);
// For people, such as "3m12s".
std::string human_duration(std::uint64_t seconds);

}  // namespace isolate::text
