// A PulseAudio server (-2, --pulse), or PipeWire in its place: its socket, PULSE_SERVER, and a copy of the cookie.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>

#include "base/environment.h"
#include "base/text.h"
#include "linux/file.h"
#include "linux/idmap.h"
#include "share/guest_files.h"
#include "share/host_socket.h"

namespace isolate {
namespace {

constexpr const char* kServer = "the PulseAudio server";
constexpr const char* kDirectory = "pulse";
constexpr const char* kSocket = "native";
constexpr const char* kCookieFile = "cookie";
constexpr const char* kClientFile = "client.conf";
// An administrator may have a server listen here that asks for no cookie: module-native-protocol-unix with
// auth-anonymous=1 and this socket.
constexpr const char* kAnonymousSocket = "/tmp/pulse-socket";
constexpr std::size_t kCookieSize = 256;

// The guest has a /dev/shm of its own. A server whose memfds are turned off looks for a client's samples in /dev/shm,
// and the client's connection ends with an error.
constexpr const char* kClientSettings = "enable-shm = no\nautospawn = no\n";

// Parses the first server in a value of PULSE_SERVER (pulse-client.conf(5)): a path, or "unix:" and a path. "{MACHINE}"
// may precede either.
Result<std::string> parse_server(std::string_view value) {
  const auto shown = "PULSE_SERVER=" + text::printable(value);
  auto server = value.substr(0, value.find(' '));
  if (server.starts_with('{')) server.remove_prefix(std::min(server.size(), server.find('}') + 1));
  if (server.starts_with("unix:")) server.remove_prefix(sizeof "unix:" - 1);
  if (server.starts_with('/')) return std::string(server);
  return fail(shown + " does not name a socket, and isolate shares only local servers; set it to unix:/PATH");
}

Result<std::string> usual_socket() {
  const auto directory = environment_variable("PULSE_RUNTIME_PATH");
  if (!directory.empty()) return directory + "/" + kSocket;
  return TRY(callers_runtime_directory(kServer)) + "/pulse/native";
}

Result<HostSocket> find_server(const Caller& caller) {
  if (const auto value = environment_variable("PULSE_SERVER"); !value.empty()) {
    return open_host_socket(TRY(parse_server(value)), kServer, caller);
  }
  const auto path = usual_socket();
  auto found = path ? open_host_socket(*path, kServer, caller) : Result<HostSocket>(fail(path.error()));
  if (found) return found;
  struct stat status {};
  if (::lstat(kAnonymousSocket, &status) != 0) return found;
  return open_host_socket(kAnonymousSocket, kServer, caller);
}

// Whether the server knows the cookie of the user who became root by sudo(8), and not that of the caller.
bool is_of_sudo_user(const HostSocket& server, const Caller& caller) {
  return server.owner != caller.uid && server.owner != 0;
}

// The files in which libpulse looks for the cookie.
std::vector<std::string> cookie_files(const HostSocket& server, const Caller& caller) {
  if (auto file = environment_variable("PULSE_COOKIE"); !file.empty()) return {file};
  std::vector<std::string> files;
  auto home = caller.home();
  auto configuration = environment_variable("XDG_CONFIG_HOME");
  if (is_of_sudo_user(server, caller)) {
    const auto entry = user_entry(server.owner);
    home = entry ? entry->home : "";
    configuration.clear();
  }
  files.push_back((configuration.empty() ? home + "/.config" : configuration) + "/pulse/cookie");
  files.push_back(home + "/.pulse-cookie");
  return files;
}

// After sudo(8), root reads a file in the user's home only if that user owns it.
Result<std::string> read_cookie_file(const std::string& path, const HostSocket& server, const Caller& caller) {
  const auto file = TRY(open_file(AT_FDCWD, path, O_PATH));
  const auto status = TRY(status_of(file.get(), "", AT_EMPTY_PATH));
  const bool is_given = !environment_variable("PULSE_COOKIE").empty();
  if (!is_given && is_of_sudo_user(server, caller) && status.st_uid != server.owner) return fail(EPERM, "open " + path);
  // Opening a pipe would wait for ever for a writer.
  return read_regular_file(file.get(), kCookieSize, text::printable(path));
}

// Returns an empty string if there is no cookie.
Result<std::string> read_cookie(const HostSocket& server, const Caller& caller) {
  const bool is_given = !environment_variable("PULSE_COOKIE").empty();
  for (const auto& path : cookie_files(server, caller)) {
    auto content = read_cookie_file(path, server, caller);
    if (content && content->size() == kCookieSize) return content;
    const int code = content ? EFBIG : content.error().code();
    if (code == ENOENT && !is_given) continue;
    if (code == EFBIG) {
      return fail(
          fmt::format("{} is not a cookie, because it does not have {} bytes; {}", text::printable(path), kCookieSize,
                      is_given ? "set PULSE_COOKIE to the server's cookie" : "remove it, and restart the server"));
    }
    return fail(fmt::format("the cookie: {}{}", content.error().message(),
                            is_given ? "; set PULSE_COOKIE to the server's cookie" : ""));
  }
  return std::string();
}

// The server accepts its own user without a cookie.
bool may_have_other_ids(const RunRequest& request, const Caller& caller) {
  return caller.is_root() ? request.engine != EngineKind::chroot : request.userns == UsernsMode::private_range;
}

Result<SharePlan> look_up(const RunRequest& request, const Caller& caller, const std::vector<std::string>& /*wishes*/) {
  const auto server = TRY(find_server(caller));
  const auto cookie = TRY(read_cookie(server, caller));
  if (cookie.empty() && server.path != kAnonymousSocket && may_have_other_ids(request, caller)) {
    return fail(
        fmt::format("there is no cookie in {}, and without one the server refuses a guest with other ids than "
                    "yours; run pactl info once to make the cookie, or set PULSE_COOKIE",
                    text::printable(cookie_files(server, caller).front())));
  }
  RootMount mount;
  mount.target = fmt::format("{}/{}/{}", kRuntimeDirectory, kDirectory, kSocket);
  mount.source = server.path;
  SharePlan plan;
  plan.environment = {"PULSE_SERVER=unix:" + mount.target,
                      fmt::format("PULSE_COOKIE={}/{}/{}", kRuntimeDirectory, kDirectory, kCookieFile),
                      fmt::format("PULSE_CLIENTCONFIG={}/{}/{}", kRuntimeDirectory, kDirectory, kClientFile),
                      kRuntimeVariable};
  plan.mounts.push_back(std::move(mount));
  return plan;
}

Result<std::unique_ptr<Held>> start(const RootMount& mount, const ShareContext& context) {
  auto server = TRY(open_host_socket(mount.source, kServer, context.caller));
  auto cookie = TRY(read_cookie(server, context.caller));
  // Without a cookie file, libpulse would make one in the guest's home directory, which with -t is a directory of the
  // host.
  if (cookie.empty()) cookie.assign(kCookieSize, '\0');
  std::vector<PrivateFile> files = {{kCookieFile, std::move(cookie)}, {kClientFile, kClientSettings}};
  return share_socket(std::move(server), context, kDirectory, kSocket, std::move(files));
}

std::string describe_server(const RootMount& mount) {
  return fmt::format("PulseAudio: {} on {}", text::printable(mount.source), mount.target);
}

constexpr ShareOption kOption = {'2',    "pulse", nullptr, false, false, "play and record sound with your PulseAudio",
                                 nullptr};

}  // namespace

const Share kPulse = {
    .name = "pulse", .describe = describe_server, .option = &kOption, .look_up = look_up, .start = start};

}  // namespace isolate
