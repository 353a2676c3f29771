// A PulseAudio server (-2, --pulse), or PipeWire in its place: its socket, PULSE_SERVER, and a copy of the cookie.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>

#include "base/environment.h"
#include "base/text.h"
#include "linux/file.h"
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

// The files in which libpulse looks for the cookie.
std::vector<std::string> cookie_files(const Caller& caller) {
  if (auto file = environment_variable("PULSE_COOKIE"); !file.empty()) return {file};
  std::vector<std::string> files;
  const auto home = caller.home();
  const auto configuration = environment_variable("XDG_CONFIG_HOME");
  files.push_back((configuration.empty() ? home + "/.config" : configuration) + "/pulse/cookie");
  files.push_back(home + "/.pulse-cookie");
  return files;
}

// Empty: there is none.
Result<std::string> read_cookie(const Caller& caller) {
  for (const auto& path : cookie_files(caller)) {
    // Opening a pipe would wait for ever for a writer.
    if (const auto status = status_of(AT_FDCWD, path); status && !S_ISREG(status->st_mode)) {
      return fail(text::printable(path) + " is not a cookie: it is not a regular file");
    }
    auto content = read_file(path, kCookieSize + 1);
    if (!content && content.error().code() == ENOENT && environment_variable("PULSE_COOKIE").empty()) continue;
    if (!content) return fail("the cookie: " + content.error().message());
    if (content->size() == kCookieSize) return content;
    return fail(fmt::format("{} is not a cookie, because it does not have {} bytes; remove it, and restart the server",
                            text::printable(path), kCookieSize));
  }
  return std::string();
}

// The server accepts its own user without a cookie.
bool may_have_other_ids(const RunRequest& request, const Caller& caller) {
  return caller.is_root() ? request.engine != EngineKind::chroot : request.userns == UsernsMode::private_range;
}

Result<SharePlan> look_up(const RunRequest& request, const Caller& caller, const std::vector<std::string>& /*wishes*/) {
  const auto server = TRY(find_server(caller));
  const auto cookie = TRY(read_cookie(caller));
  if (cookie.empty() && server.path != kAnonymousSocket && may_have_other_ids(request, caller)) {
    return fail(
        fmt::format("there is no cookie in {}, and without one the server refuses a guest with other ids than "
                    "yours; run pactl info once to make the cookie, or set PULSE_COOKIE",
                    text::printable(cookie_files(caller).front())));
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
  auto cookie = TRY(read_cookie(context.caller));
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
