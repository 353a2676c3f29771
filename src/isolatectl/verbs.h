// The words in front of a command's arguments: which verb they name, and what to say where they name none.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace isolate {

struct ResolvedWords {
  std::vector<std::string> words;        // for the parser: "help" has become --help, and rm and ls are written out
  const CLI::App* unfinished = nullptr;  // the words end at this one, which needs a verb below it
};
// Errors: plain text: a word that is no verb, the one that may be meant, and all that there are.
Result<ResolvedWords> resolve_words(const CLI::App& app, std::vector<std::string> words);

// The verbs below `app`, a line each.
std::string overview(const CLI::App& app);

}  // namespace isolate
