// Recognizes text from others that can be shown on one line.
#pragma once

#include <string_view>

namespace isolate::text {

// True if the text is valid UTF-8 without control characters, line and paragraph separators, and the characters that
// override the direction of text, with which others could make a line look like another one.
bool is_plain_line(std::string_view text);

}  // namespace isolate::text
