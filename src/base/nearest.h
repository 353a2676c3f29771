// The word that somebody has probably meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace isolate::text {

// The one of `words` that differs the least from `typed`; empty where all differ much.
std::string nearest(std::string_view typed, const std::vector<std::string>& words);

}  // namespace isolate::text
