#include "isolate/options.h"

#include <fmt/format.h>
#include <getopt.h>
#include <limits.h>
#include <unistd.h>

#include "base/environment.h"
#include "base/text.h"
#include "engine/engine.h"
#include "isolate/config.h"
#include "isolate/option_table.h"

namespace isolate {
namespace {

// getopt_long(3) reports an option without a letter as kFirstLong, which is larger than any letter, plus its index.
constexpr int kFirstLong = 1000;

const Option& option_of(int code) {
  const auto& table = option_table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].letter == code || kFirstLong + static_cast<int>(i) == code) return table[i];
  }
  ::abort();  // unreachable: getopt_long() returns only values that come from the table
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
  for (int code = 0; (code = ::getopt_long(argc, argv, letters.c_str(), long_options.data(), nullptr)) != -1;) {
    const auto shown = [argv] { return text::printable(argv[optind - 1]); };
    if (code == '?') {
      const bool is_letter = optopt > 0 && optopt < kFirstLong && !std::string_view(argv[optind - 1]).starts_with("--");
      const std::string name = is_letter ? fmt::format("-{}", static_cast<char>(optopt)) : shown();
      return fail(fmt::format("unknown option '{}'; see isolate --help", text::printable(name)));
    }
    if (code == ':') return fail(fmt::format("option '{}' needs a value; see isolate --help", shown()));
    directory_given |= code == 't';
    template_given |= code == 'z';
    TRY_VOID(option_of(code).apply(optarg != nullptr ? optarg : "true", options));
  }
  if (directory_given && template_given)
    return fail("-t and -z exclude each other; -t DIR runs on a directory itself, -z NAME in a clone of a template");
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
    text += fmt::format("  {:<35} {}\n", names, known.help);
  }
  text +=
      "\nEnvironment: isolate runs the shell commands PRE_SPAWN_HOOK before and POST_SPAWN_HOOK after the command, as\n"
      "you, with ROOTFS set.\n"
      "Configuration: /etc/isolate/config.toml and ~/.config/isolate/config.toml; keys are long option names.\n"
      "Exit status: the command's; 128+n if signal n killed it; 124 if its time ran out; 125 if isolate failed;\n"
      "126 if the command is not executable; 127 if it was not found.\n";
  return text;
}

}  // namespace isolate
