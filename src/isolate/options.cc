#include "isolate/options.h"

#include <fmt/format.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "base/text.h"
#include "isolate/config.h"
#include "store/open.h"

namespace isolate {
namespace {

using Setter = Result<void> (*)(const std::string& value, Options* options);

struct Option {
  char letter;  // the short name; 0 if the option has only a long name
  const char* name;
  const char* value;  // the placeholder for the value in the help text; null for a switch, which takes no value
  const char* help;
  Setter set;
};

template <bool Options::*Member>
Result<void> set_switch(const std::string& value, Options* options) {
  options->*Member = value == "true";
  return {};
}

template <bool RunRequest::*Member>
Result<void> set_request_switch(const std::string& value, Options* options) {
  options->request.*Member = value == "true";
  return {};
}

template <const char* (*Text)()>
Result<void> refuse_unsupported(const std::string& /*value*/, Options* /*options*/) {
  return fail(Text());
}
const char* x11_text() { return "-1/--x11 is not supported yet: the guest gets no X11 socket"; }
const char* pulse_text() { return "-2/--pulse is not supported yet: the guest gets no PulseAudio socket"; }

Result<void> set_engine(const std::string& value, Options* options) {
  options->request.engine = TRY(parse_engine(value));
  return {};
}

Result<void> set_directory(const std::string& value, Options* options) {
  char resolved[PATH_MAX];
  if (::realpath(value.c_str(), resolved) == nullptr)
    return fail(errno, "template directory " + text::printable(value));
  if (std::string_view(resolved) == "/") {
    return fail("template directory '/' is the host's own root; give the directory of another root");
  }
  options->request.directory = resolved;
  options->request.template_name.clear();
  return {};
}

Result<void> set_template(const std::string& value, Options* options) {
  TRY_VOID(check_template_reference(value));
  options->request.template_name = value;
  options->request.directory.clear();
  return {};
}

Result<void> add_bind(const std::string& value, Options* options) {
  // A relative path without TARGET is relative to the current directory. parse_bind() handles every other form.
  if (value.starts_with('/') || value.find(':') != std::string::npos || value.starts_with('~')) {
    options->request.binds.push_back(TRY(parse_bind(value)));
    return {};
  }
  char resolved[PATH_MAX];
  if (::realpath(value.c_str(), resolved) == nullptr) return fail(errno, "bind " + text::printable(value));
  options->request.binds.push_back(TRY(parse_bind(escaped_colons(resolved))));
  return {};
}

Result<void> add_variable(const std::string& value, Options* options) {
  auto variable = TRY(parse_variable_of(value));
  if (variable) options->request.environment.push_back(std::move(*variable));
  return {};
}

Result<void> set_working_directory(const std::string& value, Options* options) {
  if (!value.starts_with('/'))
    return fail("chdir '" + text::printable(value) + "': must begin with '/', because it is a path inside the guest");
  options->request.working_directory = value;
  options->directory_named = true;
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

Result<void> set_uid_base(const std::string& value, Options* options) {
  options->request.uid_base = TRY(parse_id_base(value, "uid-base"));
  return {};
}

Result<void> set_gid_base(const std::string& value, Options* options) {
  options->request.gid_base = TRY(parse_id_base(value, "gid-base"));
  return {};
}

Result<void> set_userns(const std::string& value, Options* options) {
  options->request.userns = TRY(parse_userns(value));
  return {};
}

Result<void> set_groups(const std::string& value, Options* options) {
  options->request.groups = TRY(parse_groups(value));
  return {};
}

Result<void> set_status_fd(const std::string& value, Options* options) {
  options->request.status_fd = static_cast<int>(TRY(text::number(value, "status-fd", 0, 1 << 20)));
  return {};
}

Result<void> add_capability(const std::string& value, Options* options) {
  options->request.added_capabilities.add(TRY(CapabilitySet::parse(value)));
  return {};
}

Result<void> drop_capability(const std::string& value, Options* options) {
  options->request.dropped_capabilities.add(TRY(CapabilitySet::parse(value)));
  return {};
}

Result<void> set_seccomp(const std::string& value, Options* options) {
  options->request.seccomp = TRY(parse_seccomp(value));
  return {};
}

Result<void> set_timeout(const std::string& value, Options* options) {
  options->request.timeout = TRY(parse_seconds(value, "timeout"));
  return {};
}

Result<void> set_tmp_size(const std::string& value, Options* options) {
  options->request.memory_files = TRY(parse_size(value, "tmp-size"));
  return {};
}

Result<void> add_ulimit(const std::string& value, Options* options) {
  options->request.limits.push_back(TRY(parse_ulimit(value)));
  return {};
}

constexpr const char* kUnlimitedWord = "unlimited";

// The value "unlimited" removes a limit that a configuration file has set.
template <typename Parse>
Result<void> set_limit(const std::string& value, std::optional<std::uint64_t>* limit, Parse parse) {
  limit->reset();
  if (value != kUnlimitedWord) *limit = TRY(parse(value));
  return {};
}

// The launcher shares isolate's memory while it counts towards the guest's limit. If the kernel killed it for exceeding
// the limit, isolate would die as well. Therefore the limit must leave room for the launcher.
Result<std::uint64_t> parse_memory(const std::string& text) {
  constexpr std::uint64_t kLeast = 6 << 20;
  const auto bytes = TRY(parse_size(text, "memory"));
  if (bytes >= kLeast) return bytes;
  return fail(
      fmt::format("memory: '{}' is less than 6M, the least with which a guest can start", text::printable(text)));
}

Result<void> set_memory(const std::string& value, Options* options) {
  options->request.unlimited_memory = value == kUnlimitedWord;
  return set_limit(value, &options->request.group_limits.memory, parse_memory);
}

Result<void> set_cpus(const std::string& value, Options* options) {
  options->request.unlimited_cpus = value == kUnlimitedWord;
  return set_limit(value, &options->request.group_limits.cpu_time,
                   [](const std::string& text) { return parse_cpus(text, "cpus"); });
}

Result<void> set_pids(const std::string& value, Options* options) {
  constexpr std::uint64_t kMost = 1 << 22;  // the kernel's own maximum, PID_MAX_LIMIT
  return set_limit(value, &options->request.group_limits.processes,
                   [](const std::string& text) { return text::number(text, "pids", 1, kMost); });
}

Result<void> set_io_weight(const std::string& value, Options* options) {
  constexpr std::uint64_t kMost = 10'000;
  return set_limit(value, &options->request.group_limits.io_weight,
                   [](const std::string& text) { return text::number(text, "io-weight", 1, kMost); });
}

Result<void> set_store(const std::string& value, Options* options) {
  if (!value.starts_with('/')) return fail("store '" + text::printable(value) + "': must begin with '/'");
  options->request.store = value;
  return {};
}

RefreshCommand& refresh_of(Options* options) {
  if (!options->refresh) options->refresh.emplace();
  return *options->refresh;
}

Result<void> set_refresh(const std::string& value, Options* options) {
  TRY_VOID(check_template_reference(value));
  refresh_of(options).template_name = value;
  return {};
}

Result<void> set_force(const std::string& value, Options* options) {
  if (value == "true") refresh_of(options).replace_all = true;
  return {};
}

Result<void> set_no_create(const std::string& value, Options* options) {
  if (value == "true") refresh_of(options).make_new = false;
  return {};
}

constexpr std::array kOptions = {
    Option{'e', "engine", "ENGINE", "bwrap (default), lxc, or chroot, which does not isolate", set_engine},
    Option{'t', "template-dir", "DIR", "run on the directory itself; changes stay", set_directory},
    Option{'z', "template", "NAME", "run in a fresh clone of the template, thrown away at the end", set_template},
    Option{'d', "bind", "HOST[:TARGET][:ro]", "show a file or directory of the host inside; repeatable", add_bind},
    Option{0, "here", nullptr, "show the current directory inside, at its own path, and start there",
           set_switch<&Options::here>},
    Option{'v', "env", "NAME[=VALUE]", "set a variable inside; NAME alone copies yours; repeatable", add_variable},
    Option{'p', "chdir", "DIR", "start in this directory of the guest's root (default /)", set_working_directory},
    Option{'u', "uid-base", "N", "map users 0..65535 inside to N..N+65535 outside", set_uid_base},
    Option{'g', "gid-base", "N", "the same for groups", set_gid_base},
    Option{'n', "share-net", nullptr, "share the host's network", set_request_switch<&RunRequest::share_network>},
    Option{'i', "ignore-sigint", nullptr, "ignore SIGINT, keep running",
           set_request_switch<&RunRequest::ignore_interrupt>},
    Option{0, "userns", "auto|private|single", "which ids to map, see isolate(1)", set_userns},
    Option{0, "groups", "auto|keep|drop", "keep your supplementary groups; auto: if a bind needs one", set_groups},
    Option{0, "cap-add", "CAP,...", "give capabilities, which count inside the user namespace", add_capability},
    Option{0, "cap-drop", "CAP,...", "take capabilities away; ALL takes every one", drop_capability},
    Option{0, "read-only", nullptr, "mount the root read-only", set_request_switch<&RunRequest::read_only>},
    Option{0, "empty-home", nullptr, "put an empty /home in memory over the template's",
           set_request_switch<&RunRequest::empty_home>},
    Option{0, "seccomp", "default|tty|none|FILE", "system calls to refuse; FILE: an OCI profile", set_seccomp},
    Option{0, "pty", nullptr, "give the command a terminal of its own", set_request_switch<&RunRequest::own_terminal>},
    Option{0, "timeout", "SECONDS", "end the command after this time, with status 124", set_timeout},
    Option{0, "ulimit", "NAME=N", "limit a resource, such as nproc, nofile, core; repeatable", add_ulimit},
    Option{0, "tmp-size", "SIZE", "memory limit for files in /tmp, /dev/shm and an empty /home", set_tmp_size},
    Option{0, "memory", "SIZE", "memory limit of the guest, which gets no swap", set_memory},
    Option{0, "cpus", "N", "processor time limit of the guest, in processors, like 1.5", set_cpus},
    Option{0, "pids", "N", "limit of the guest's processes and threads", set_pids},
    Option{0, "io-weight", "N", "the guest's share of busy disks, 1 to 10000 (usual: 100)", set_io_weight},
    Option{0, "keep", nullptr, "keep the clone and print where it is", set_request_switch<&RunRequest::keep>},
    Option{0, "store", "DIR", "the directory of templates and clones", set_store},
    Option{0, "dry-run", nullptr, "print the plan of the run and stop", set_request_switch<&RunRequest::dry_run>},
    Option{0, "timings", nullptr, "print how long each step took, in microseconds",
           set_request_switch<&RunRequest::timings>},
    Option{0, "status-fd", "FD", "write start and end as JSON lines to this descriptor", set_status_fd},
    Option{'x', "trace", nullptr, "print each step and system call with its result", set_switch<&Options::trace>},
    Option{'q', "quiet", nullptr, "print only warnings and errors", set_switch<&Options::quiet>},
    Option{'1', "x11", nullptr, "X11 inside (not supported yet)", refuse_unsupported<x11_text>},
    Option{'2', "pulse", nullptr, "PulseAudio inside (not supported yet)", refuse_unsupported<pulse_text>},
    Option{'r', "refresh", "TEMPLATE", "keep NUMBER fresh clones ready: isolate -r TEMPLATE NUMBER (root)",
           set_refresh},
    Option{'f', "force", nullptr, "with -r: replace all unused clones", set_force},
    Option{'s', "no-create", nullptr, "with -r: make no new clones", set_no_create},
    Option{'h', "help", nullptr, "print this text", set_switch<&Options::help>},
    Option{0, "version", nullptr, "print the version", set_switch<&Options::version>},
};
// getopt_long(3) reports an option without a letter as kFirstLong, which is larger than any letter, plus its index.
constexpr int kFirstLong = 1000;

const Option& option_of(int code) {
  for (std::size_t i = 0; i < kOptions.size(); ++i) {
    if (kOptions[i].letter == code || kFirstLong + static_cast<int>(i) == code) return kOptions[i];
  }
  ::abort();  // unreachable: getopt_long() returns only values that come from the table
}

Result<void> parse_arguments(int argc, char** argv, Options* options) {
  std::string letters = "+:";  // '+': stop at the first non-option; ':': return ':' if a value is missing
  std::array<option, kOptions.size() + 1> long_options{};
  for (std::size_t i = 0; i < kOptions.size(); ++i) {
    const auto& known = kOptions[i];
    const int code = known.letter != 0 ? known.letter : kFirstLong + static_cast<int>(i);
    long_options[i] = {known.name, known.value != nullptr ? required_argument : no_argument, nullptr, code};
    if (known.letter == 0) continue;
    letters += known.letter;
    if (known.value != nullptr) letters += ':';
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
    TRY_VOID(option_of(code).set(optarg != nullptr ? optarg : "true", options));
  }
  if (directory_given && template_given)
    return fail("-t and -z exclude each other; -t DIR runs on a directory itself, -z NAME in a clone of a template");
  for (int i = optind; i < argc; ++i) options->request.command.emplace_back(argv[i]);
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

std::string environment(const char* name) {
  const char* value = ::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Result<void> apply_setting(std::string_view name, const std::string& value, Options* options) {
  for (const auto& known : kOptions) {
    if (name != known.name) continue;
    if (known.value == nullptr && value != "true" && value != "false") {
      return fail(fmt::format("{} is a switch; set it to true or false", name));
    }
    return known.set(value, options);
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
  options.request.pre_hook = environment("PRE_SPAWN_HOOK");
  options.request.post_hook = environment("POST_SPAWN_HOOK");
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
  for (const auto& known : kOptions) {
    std::string names = known.letter != 0 ? fmt::format("-{}, ", known.letter) : "    ";
    names += fmt::format("--{}", known.name);
    if (known.value != nullptr) names += fmt::format(" {}", known.value);
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
