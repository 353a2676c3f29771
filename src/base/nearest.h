// Finds the word that a user probably meant when they mistyped one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace isolate::text {

// Returns the word of `words` with the smallest edit distance to `typed`, or "" if none is close. A word that begins
// with `typed` (3 characters or more) counts as one edit away.
std::string nearest_word(std::string_view typed, const std::vector<std::string>& words);

}  // namespace isolate::text
