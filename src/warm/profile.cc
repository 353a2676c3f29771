#include "warm/profile.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "base/trace.h"
#include "linux/caller.h"
#include "linux/file.h"
#include "linux/inherited_state.h"
#include "plan/filters.h"
#include "request/store_path.h"
#include "share/share.h"

namespace isolate {
namespace {

constexpr std::string_view kNotPossible = "a warm guest is not possible with ";

Result<void> refuse(std::string_view option) { return fail(fmt::format("{}{}", kNotPossible, option)); }

// A value may hold any character, so its length stands before it.
void add_line(std::string_view name, const std::string& value, std::string* profile) {
  *profile += fmt::format("{} {} {}\n", name, value.size(), value);
}

// Adds the object of the host to which the path leads, and what is mounted below it, since a guest keeps what was there
// when it was made. `mounts` is /proc/self/mountinfo, or empty until it is needed.
void add_source(const std::string& path, std::string* mounts, std::string* profile) {
  if (path.empty()) return;
  add_line("source", path, profile);
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_INO | STATX_TYPE | STATX_MNT_ID, &status) != 0) return;
  *profile += fmt::format("object {} {} {} {} {}\n", status.stx_dev_major, status.stx_dev_minor, status.stx_ino,
                          status.stx_mnt_id, status.stx_mode & S_IFMT);
  if (!S_ISDIR(status.stx_mode)) return;
  const auto place = real_path(path);
  if (mounts->empty()) *mounts = read_file("/proc/self/mountinfo", std::size_t{16} << 20).value_or("unknown");
  if (!place) return;
  // mountinfo writes these characters as octal numbers (proc(5)).
  std::string below = " ";
  for (const char character : *place == "/" ? *place : *place + "/") {
    const bool is_written_so = character == ' ' || character == '\t' || character == '\n' || character == '\\';
    below += is_written_so ? fmt::format("\\{:03o}", static_cast<unsigned>(character)) : std::string(1, character);
  }
  for (const auto& line : text::split(*mounts, '\n')) {
    if (line.find(below) != std::string::npos) *profile += std::string(line) + "\n";
  }
}

}  // namespace

Result<void> check_can_be_warm(const RunRequest& request) {
  if (request.template_name.empty()) return refuse("-t, because only clones are thrown away");
  if (request.engine == EngineKind::lxc) return refuse("the engine lxc");
  // A share shows the guest things of the session in which the run is started, such as its display.
  if (!request.shares.empty()) return refuse("--" + request.shares.front().option);
  if (!request.pre_hook.empty()) return refuse("PRE_SPAWN_HOOK");
  if (!request.post_hook.empty()) return refuse("POST_SPAWN_HOOK");
  if (request.own_terminal) return refuse("--pty");
  if (request.keep) return refuse("--keep");
  if (request.dry_run) return refuse("--dry-run");
  if (trace::enabled()) return refuse("--trace");
  // Nobody can tell whether the isolate that makes guests is confined in the same way.
  const bool is_confined = ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0 || ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0;
  if (is_confined) return refuse("a caller that has a seccomp filter or no_new_privs");
  // The file could change.
  if (request.seccomp.kind == SeccompChoice::Kind::file) return refuse("a seccomp profile of your own");
  return {};
}

Result<std::string> warm_profile(const RunRequest& request) {
  std::string profile = fmt::format("isolate {}\n", ISOLATE_VERSION);
  const auto add = [&profile](std::string_view name, const std::string& value) { add_line(name, value, &profile); };
  // The order of different options has no meaning.
  auto options = request.guest_options;
  std::stable_sort(options.begin(), options.end(),
                   [](const auto& one, const auto& other) { return one.first < other.first; });
  for (const auto& [name, value] : options) add(name, value);
  add("template", request.template_name);
  add("store", TRY(store_path(request.store, Caller::current())));
  add("seccomp", std::to_string(static_cast<int>(seccomp_choice(request).kind)));
  std::string mounts;
  for (const auto& mount : plan_shares(request)) add_source(mount.source, &mounts, &profile);
  for (const auto& bind : request.binds) {
    add(bind.read_only ? "read-only" : "read-write", bind.target);
    add_source(bind.source, &mounts, &profile);
  }
  return profile + inherited_state();
}

std::string name_of_profile(const std::string& profile) {
  // FNV-1a, 64 bits.
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : profile) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return fmt::format("warm-{:016x}", hash);
}

}  // namespace isolate
