#include "isolate/option_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

#include "base/text.h"
#include "linux/file.h"
#include "store/open.h"

namespace isolate {
namespace {

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

Result<void> set_engine(const std::string& value, Options* options) {
  options->request.engine = TRY(parse_engine(value));
  options->engine_named = true;
  return {};
}

Result<void> set_directory(const std::string& value, Options* options) {
  auto resolved = real_path(value);
  if (!resolved) return fail(resolved.error().code(), "template directory " + text::printable(value));
  if (*resolved == "/") {
    return fail("template directory '/' is the host's own root; give the directory of another root");
  }
  options->request.directory = std::move(*resolved);
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
  const auto resolved = real_path(value);
  if (!resolved) return fail(resolved.error().code(), "bind " + text::printable(value));
  options->request.binds.push_back(TRY(parse_bind(escaped_colons(*resolved))));
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

Result<void> set_warm(const std::string& value, Options* options) {
  options->request.warm = TRY(parse_warm(value));
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

// The launcher counts towards the guest's limit. The limit must leave room for it, because otherwise the kernel would
// kill it for exceeding the limit, and no guest would start.
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
    Option{'e', "engine", "ENGINE", "bwrap (default), native, lxc, or chroot, which does not isolate", set_engine},
    Option{'t', "template-dir", "DIR", "run on the directory itself; changes stay", set_directory},
    Option{'z', "template", "NAME", "run in a fresh clone of the template, thrown away at the end", set_template},
    Option{'d', "bind", "HOST[:TARGET][:ro]", "show a file or directory of the host inside; repeatable", add_bind},
    Option{0, "here", nullptr, "show the current directory inside, at its own path, and start there",
           set_switch<&Options::here>},
    Option{'v', "env", "NAME[=VALUE]", "set a variable inside; NAME alone copies yours; repeatable", add_variable},
    Option{'p', "chdir", "DIR", "start in this directory of the guest's root (default /, or the home)",
           set_working_directory},
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
    Option{0, "sync", nullptr, "do not end before the clone is removed", set_request_switch<&RunRequest::sync>},
    Option{0, "warm", "auto|require|no", "take a guest that is ready already, if one fits", set_warm},
    Option{0, "hold", nullptr, "make a guest and wait for a run that takes it; without COMMAND",
           set_request_switch<&RunRequest::hold>},
    Option{0, "store", "DIR", "the directory of templates and clones", set_store},
    Option{0, "dry-run", nullptr, "print the plan of the run and stop", set_request_switch<&RunRequest::dry_run>},
    Option{0, "timings", nullptr, "print how long each step took, in microseconds",
           set_request_switch<&RunRequest::timings>},
    Option{0, "status-fd", "FD", "write start and end as JSON lines to this descriptor", set_status_fd},
    Option{'x', "trace", nullptr, "print each step and system call with its result", set_switch<&Options::trace>},
    Option{'q', "quiet", nullptr, "print only warnings and errors", set_switch<&Options::quiet>},
};

// Options that do not decide how a guest is made, or whose values RunRequest keeps in a form that is better to compare.
// All others count for RunRequest::guest_options.
constexpr std::array<std::string_view, 14> kOfTheRun = {"template",      "bind",      "here",  "env",         "chdir",
                                                        "ignore-sigint", "timeout",   "sync",  "warm",        "hold",
                                                        "timings",       "status-fd", "quiet", "template-dir"};

// The help text shows these after the options of the shares.
constexpr std::array kLastOptions = {
    Option{'r', "refresh", "TEMPLATE", "keep NUMBER fresh clones ready: isolate -r TEMPLATE NUMBER (root)",
           set_refresh},
    Option{'f', "force", nullptr, "with -r: replace all unused clones", set_force},
    Option{'s', "no-create", nullptr, "with -r: make no new clones", set_no_create},
    Option{'h', "help", nullptr, "print this text", set_switch<&Options::help>},
    Option{0, "version", nullptr, "print the version", set_switch<&Options::version>},
};

std::vector<Option> make_table() {
  std::vector<Option> table(kOptions.begin(), kOptions.end());
  for (const auto* share : share_options()) {
    table.push_back({share->letter, share->name, share->value, share->help, nullptr, share});
  }
  table.insert(table.end(), kLastOptions.begin(), kLastOptions.end());
  return table;
}

}  // namespace

Result<void> Option::apply(const std::string& text, Options* options) const {
  TRY_VOID(share != nullptr ? add_wish(*share, text, &options->request) : set(text, options));
  const bool decides =
      std::none_of(kOfTheRun.begin(), kOfTheRun.end(), [this](std::string_view other) { return other == name; });
  if (decides) options->request.guest_options.emplace_back(name, text);
  return {};
}

bool Option::is_for_command() const {
  return set == add_variable || set == set_working_directory || set == set_timeout;
}

const std::vector<Option>& option_table() {
  static const auto table = make_table();
  return table;
}

}  // namespace isolate
