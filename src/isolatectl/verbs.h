// Finds out which verb the words of a command line name, before CLI11 parses them. CLI11's own messages about an
// unknown or missing verb do not help the user.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace isolate {

struct ResolvedWords {
  std::vector<std::string> words;        // the words for CLI11: "help" has become --help, rm is remove and ls is list
  const CLI::App* unfinished = nullptr;  // set if the words end before a verb below this one was named
};
// Errors: plain text: a word is not a verb; the message names the nearest verb and lists all verbs that fit there.
Result<ResolvedWords> resolve_words(const CLI::App& app, std::vector<std::string> words);

// A usage text with one line for each verb below `app`.
std::string overview(const CLI::App& app);

}  // namespace isolate
