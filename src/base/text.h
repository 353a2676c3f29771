// Small functions on text, without any policy of their own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isolate::text {

// A decimal number without sign, blanks or leading zeros, from `least` to `most`.
// Errors: plain text that names `what` and says what is allowed.
Result<std::uint64_t> number(std::string_view text, std::string_view what, std::uint64_t least, std::uint64_t most);

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// The text with every control byte shown as \xNN: what others wrote must not steer a terminal or a log.
std::string printable(std::string_view text);

// The text as one word of a shell command line, for showing commands to people.
std::string shell_quoted(std::string_view text);

// True for 1 to `longest` characters of [A-Za-z0-9._-] that begin with a letter or digit.
bool is_name(std::string_view text, std::size_t longest);

// "1.5 MiB": for people.
std::string human_size(std::uint64_t bytes);
// "3m12s": for people.
std::string human_duration(std::uint64_t seconds);

}  // namespace isolate::text
