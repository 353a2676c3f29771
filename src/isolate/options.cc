#include "isolate/options.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <getopt.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/environment.h"
#include "base/nearest.h"
#include "base/text.h"
#include "engine/engine.h"
#include "isolate/config.h"
#include "isolate/option_table.h"
#include "linux/file.h"

namespace isolate {
namespace {

// getopt_long(3) reports an option without a letter as kFirstLong, which is larger than any letter, plus its index.
constexpr int kFirstLong = 1000;

const Option* find_option(int code) {
  const auto& table = option_table();
  for (std::size_t i = 0; code != 0 && i < table.size(); ++i) {
    if (table[i].letter == code || kFirstLong + static_cast<int>(i) == code) return &table[i];
  }
  return nullptr;
}

const Option& option_of(int code) {
  if (const auto* known = find_option(code)) return *known;
  ::abort();  // unreachable: getopt_long() returns only values that come from the table
}

// Says why getopt_long(3) returned '?'. `code` is what it left in optopt: 0 for an unknown name, which is then in
// `word`; an unknown letter; or the code of a known option that takes no value.
Error unknown_option(const std::string& word, int code) {
  if (find_option(code) != nullptr) {
    return Error(fmt::format("option '--{}' takes no value; see isolate --help", find_option(code)->name));
  }
  std::string nearest;
  if (code == 0 && word.starts_with("--")) {
    std::vector<std::string> names;
    for (const auto& known : option_table()) names.emplace_back(known.name);
    nearest = text::nearest_word(word.substr(0, word.find('=')).substr(2), names);
  }
  const auto shown = text::printable(code == 0 ? word : fmt::format("-{}", static_cast<char>(code)));
  return Error(fmt::format("unknown option '{}'{}{}; see isolate --help", shown, nearest.empty() ? "" : "; nearest: --",
                           nearest));
}

// Names the word of an error about a value behind several letters: "-1nested" means -1 -n -e sted, which the user may
// not have meant.
Error name_word_of_letters(std::string_view word, const Error& error) {
  const bool is_cluster = optarg != nullptr && word.size() > 2 && word[0] == '-' && word[1] != '-' &&
                          optarg > word.data() + 2 && optarg < word.data() + word.size();
  return is_cluster ? Error(error).within(text::printable(std::string(word))) : error;
}

// Refuses a command that is probably meant as the value of the option before it, which takes a value only after a '='.
Result<void> check_is_command(const Option& option, const std::string& word) {
  const auto values = text::split(option.value, '|');
  const bool is_value = values.size() > 1 && std::find(values.begin(), values.end(), word) != values.end();
  const auto status = status_of(AT_FDCWD, word);
  const bool is_directory = option.value == std::string_view("DIR") && status && S_ISDIR(status->st_mode);
  if (!is_value && !is_directory) return {};
  return fail(fmt::format("a value of --{0} needs a '=': write --{0}={1}; if {1} is the command, write -- before it",
                          option.name, text::printable(word)));
}

Result<void> parse_arguments(int argc, char** argv, Options* options) {
  std::string letters = "+:";  // '+': stop at the first non-option; ':': return ':' if a value is missing
  const auto& table = option_table();
  std::vector<option> long_options(table.size() + 1);
  for (std::size_t i = 0; i < table.size(); ++i) {
    const auto& known = table[i];
    const int code = known.letter != 0 ? known.letter : kFirstLong + static_cast<int>(i);
    const int optional = known.value != nullptr ? optional_argument : no_argument;
    long_options[i] = {known.name, known.needs_value() ? required_argument : optional, nullptr, code};
    if (known.letter == 0) continue;
    letters += known.letter;
    if (known.needs_value()) letters += ':';
  }
  opterr = 0;
  bool directory_given = false;
  bool template_given = false;
  const Option* for_command = nullptr;    // an option that only says something about the command
  const Option* without_value = nullptr;  // the last option, if its value is optional and missing
  for (int code = 0; (code = ::getopt_long(argc, argv, letters.c_str(), long_options.data(), nullptr)) != -1;) {
    const auto shown = [argv] { return text::printable(argv[optind - 1]); };
    if (code == '?') {
      return fail(unknown_option(argv[optind - 1], optopt));
    }
    if (code == ':') return fail(fmt::format("option '{}' needs a value; see isolate --help", shown()));
    directory_given |= code == 't';
    template_given |= code == 'z';
    const auto& known = option_of(code);
    const bool may_lack_value = known.value != nullptr && !known.needs_value();
    // --home=$DIR with an unset variable must not silently run with a temporary home.
    if (may_lack_value && optarg != nullptr && *optarg == 0) {
      return fail(fmt::format("'--{0}=' has no value after the '='; add a value, or write --{0}", known.name));
    }
    if (known.is_for_command()) for_command = &known;
    without_value = may_lack_value && optarg == nullptr ? &known : nullptr;
    const auto applied = known.apply(optarg != nullptr ? optarg : "true", options);
    if (!applied) return fail(name_word_of_letters(argv[optind - 1], applied.error()));
  }
  if (options->request.hold && for_command != nullptr) {
    return fail(
        fmt::format("--{} has no effect with --hold; give it to the run that takes the guest", for_command->name));
  }
  if (directory_given && template_given)
    return fail("-t and -z exclude each other; -t DIR runs on a directory itself, -z NAME in a clone of a template");
  const bool is_command_marked = std::string_view(argv[optind - 1]) == "--";
  if (without_value != nullptr && optind < argc && !is_command_marked) {
    TRY_VOID(check_is_command(*without_value, argv[optind]));
  }
  for (int i = optind; i < argc; ++i) options->request.command.emplace_back(argv[i]);
  return {};
}

// Puts the bind of the current directory first, so that the binds of -d are mounted on top of it wherever --here stands
// on the command line.
Result<void> bind_here(Options* options) {
  char path[PATH_MAX];
  if (::getcwd(path, sizeof path) == nullptr || path[0] != '/') return fail(errno, "--here: the current directory");
  auto bind = parse_bind(escaped_colons(path));
  if (!bind) return fail(std::move(bind).error().within("--here"));
  options->request.binds.insert(options->request.binds.begin(), std::move(*bind));
  if (!options->directory_named) options->request.working_directory = path;
  return {};
}

Result<void> check(const RunRequest& request) {
  if (request.template_name.empty() && request.directory.empty()) {
    return fail("no template: name one with -z NAME or -t DIR, or set template = \"NAME\" in the configuration");
  }
  if (request.hold) {
    if (!request.command.empty()) return fail("--hold takes no command; the run that takes the guest brings its own");
    return {};
  }
  if (request.command.empty()) return fail("no command; usage: isolate [options] COMMAND [ARG...]");
  if (request.command[0].empty()) return fail("the command is an empty string; name a program");
  if (request.keep && request.template_name.empty())
    return fail("--keep needs -z; with -t there is no clone, and changes stay in the directory");
  return {};
}

// The default engine needs a program, and the native one is always there.
void choose_engine(Options* options) {
  if (options->engine_named || find_bwrap()) return;
  options->request.engine = EngineKind::native;
  options->warnings.emplace_back(
      "bwrap is not installed, so isolate's own engine confines the command; -e native, or engine = \"native\" in the "
      "configuration, chooses it without this warning");
}

}  // namespace

Result<void> apply_setting(std::string_view name, const std::string& value, Options* options) {
  for (const auto& known : option_table()) {
    if (name != known.name) continue;
    if (known.value == nullptr && value != "true" && value != "false") {
      return fail(fmt::format("{} is a switch; set it to true or false", name));
    }
    // A relative path would make the home in the directory where isolate happens to be started.
    const bool is_path = value.starts_with('/') || value.starts_with("~/") || value == "true" || value == "false";
    const bool takes_path = known.share != nullptr && known.value != nullptr && known.value == std::string_view("DIR");
    if (takes_path && !is_path) {
      return fail(fmt::format("{} '{}': set it to true, or to a path that begins with '/' or '~/'", name,
                              text::printable(value)));
    }
    return known.apply(value, options);
  }
  return fail(
      fmt::format("unknown setting '{}'; use the long name of an option, see isolate --help", text::printable(name)));
}

Result<Options> parse_options(int argc, char** argv) {
  Options options;
  auto configured = read_configuration(&options);
  TRY_VOID(parse_arguments(argc, argv, &options));
  // A mistake in a configuration file must not keep the user from reading the help.
  if (options.help || options.version) return options;
  TRY_VOID(std::move(configured));
  options.request.pre_hook = environment_variable("PRE_SPAWN_HOOK");
  options.request.post_hook = environment_variable("POST_SPAWN_HOOK");
  options.request.quiet = options.quiet;
  choose_engine(&options);
  if (options.request.engine == EngineKind::lxc) options.request.lxc = TRY(lxc_settings_from_environment());
  if (!options.refresh) {
    if (options.here) TRY_VOID(bind_here(&options));
    TRY_VOID(check(options.request));
    return options;
  }
  if (options.refresh->template_name.empty()) return fail("-f and -s need -r TEMPLATE");
  auto& words = options.request.command;
  if (words.size() > 1) return fail("-r takes one number; usage: isolate -r TEMPLATE [-f] [-s] [NUMBER]");
  if (!words.empty()) {
    constexpr std::uint64_t kMost = 10000;
    options.refresh->size = static_cast<unsigned>(TRY(text::number(words[0], "number of fresh clones", 0, kMost)));
  }
  options.refresh->store = options.request.store;
  return options;
}

std::string help_text() {
  std::string text =
      "usage: isolate [options] COMMAND [ARG...]\n"
      "       isolate -r TEMPLATE [-f] [-s] [NUMBER]\n"
      "Runs COMMAND in a fresh, throw-away copy of a Linux root. Words after COMMAND belong to COMMAND.\n\n";
  for (const auto& known : option_table()) {
    std::string names = known.letter != 0 ? fmt::format("-{}, ", known.letter) : "    ";
    names += fmt::format("--{}", known.name);
    if (known.value != nullptr) {
      names += known.needs_value() ? fmt::format(" {}", known.value) : fmt::format("[={}]", known.value);
    }
    text += fmt::format("  {:<36} {}\n", names, known.help);
  }
  text +=
      "\nEnvironment: isolate runs the shell commands PRE_SPAWN_HOOK before and POST_SPAWN_HOOK after the command, as\n"
      "you, with ROOTFS set.\n"
      "Configuration: /etc/isolate/config.toml and ~/.config/isolate/config.toml; keys are long option names.\n"
      "Exit status: the command's; 128+n if signal n killed it; 124 if its time ran out; 125 if isolate failed;\n"
      "126 if the command is not executable; 127 if it was not found;\n"
      "141 if it succeeded but nobody read its output.\n";
  return text;
}

}  // namespace isolate
