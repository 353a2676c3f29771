#include "isolatectl/verbs.h"

#include <fmt/format.h>

#include <map>

#include "base/nearest.h"
#include "base/text.h"

namespace isolate {
namespace {

std::vector<const CLI::App*> verbs_below(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

const CLI::App* find_verb(const CLI::App& app, const std::string& name) {
  for (const auto* verb : verbs_below(app)) {
    if (verb->get_name() == name) return verb;
  }
  return nullptr;
}

// Collects the paths of all verbs that have no verbs below them, such as "template create", with their descriptions.
void add_paths(const CLI::App& app, const std::string& prefix,
               std::vector<std::pair<std::string, std::string>>* paths) {
  for (const auto* verb : verbs_below(app)) {
    const auto path = prefix + verb->get_name();
    if (verbs_below(*verb).empty()) {
      paths->emplace_back(path, verb->get_description());
    } else {
      add_paths(*verb, path + " ", paths);
    }
  }
}

// Finds the verb anywhere in the program whose last word is nearest to `word`: for "list" this is "template list".
std::string nearest_path(const CLI::App& top, const std::string& word) {
  std::vector<std::pair<std::string, std::string>> paths;
  add_paths(top, "", &paths);
  std::vector<std::string> names;
  std::map<std::string, std::string> path_of;
  for (const auto& [path, description] : paths) {
    const auto name = path.substr(path.rfind(' ') + 1);
    names.push_back(name);
    path_of.emplace(name, path);
  }
  const auto name = text::nearest_word(word, names);
  return name.empty() ? "" : path_of.at(name);
}

// Replaces a verb that other programs use by the one that isolatectl has for the same thing.
std::string translate_synonym(const std::string& word) {
  static const std::map<std::string, std::string> kSynonyms = {
      {"delete", "remove"}, {"del", "remove"}, {"destroy", "remove"}, {"rm", "remove"}, {"ls", "list"},
      {"add", "create"},    {"new", "create"}, {"import", "create"},  {"info", "show"}, {"inspect", "show"},
      {"stop", "kill"},     {"prune", "gc"},   {"commit", "snapshot"}};
  const auto found = kSynonyms.find(word);
  return found == kSynonyms.end() ? word : found->second;
}

Error unknown_verb(const CLI::App& top, const CLI::App& at, const std::string& word) {
  std::vector<std::string> names;
  for (const auto* verb : verbs_below(at)) names.push_back(verb->get_name());
  const bool is_top = &at == &top;
  auto nearest = text::nearest_word(translate_synonym(word), names);
  if (!nearest.empty() && !is_top) nearest = at.get_name() + " " + nearest;
  if (nearest.empty()) nearest = nearest_path(top, translate_synonym(word));
  return Error(fmt::format("unknown verb '{}'{}{}; the verbs{} are: {}", text::printable(word),
                           nearest.empty() ? "" : "; nearest: isolatectl ", nearest,
                           is_top ? "" : " of " + at.get_name(), text::join(names, ", ")))
      .advise("see isolatectl --help");
}

// rm and ls are accepted as short forms.
std::string expand_short_form(const std::string& word) {
  if (word == "rm") return "remove";
  if (word == "ls") return "list";
  return word;
}

}  // namespace

Result<ResolvedWords> resolve_words(const CLI::App& app, std::vector<std::string> words) {
  const CLI::App* at = &app;
  bool wants_help = false;
  bool lacks_value = false;  // --store is the last word; CLI11 reports that
  std::string unknown_option;
  for (std::size_t i = 0; i < words.size() && words[i] != "--" && !verbs_below(*at).empty(); ++i) {
    auto& word = words[i];
    if (word == "--store") {
      lacks_value |= ++i == words.size();  // skip the value of --store, which is not a verb
    } else if (word == "-h" || word == "--help" || word == "--version") {
      return ResolvedWords{std::move(words), nullptr};
    } else if (word == "help") {
      wants_help = true;
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(i--));
    } else if (!word.starts_with("-")) {
      if (at != &app) word = expand_short_form(word);
      const auto* verb = find_verb(*at, word);
      if (verb == nullptr) return fail(unknown_verb(app, *at, word));
      at = verb;
    } else {
      const bool is_known = word == "-q" || word == "--quiet" || word == "--json" || word.starts_with("--store=");
      if (!is_known) unknown_option = word;
    }
  }
  if (wants_help) words.insert(words.begin() + static_cast<std::ptrdiff_t>(words.size()), "--help");
  const bool is_unfinished = !wants_help && !lacks_value && !verbs_below(*at).empty();
  if (is_unfinished && !unknown_option.empty()) {
    return fail("unknown option '" + text::printable(unknown_option) + "'; see isolatectl --help");
  }
  return ResolvedWords{std::move(words), is_unfinished ? at : nullptr};
}

std::string overview(const CLI::App& app) {
  std::vector<std::pair<std::string, std::string>> paths;
  const bool is_top = app.get_parent() == nullptr;
  add_paths(app, is_top ? "" : app.get_name() + " ", &paths);
  std::string text = "usage: isolatectl [OPTION...] VERB [ARGUMENT...]\n\n";
  for (const auto& [path, description] : paths) {
    constexpr std::size_t kMostShown = 58;  // so that a line fits in 80 columns
    const auto cut = description.find_first_of(";,:");
    text += fmt::format("  {:<18} {}\n", path, description.substr(0, cut).substr(0, kMostShown));
  }
  return text + "\nisolatectl help VERB explains a verb, isolatectl --help lists the options of all verbs.\n";
}

}  // namespace isolate
