// An X11 display (-1, --x11): its socket, DISPLAY, and a cookie.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "linux/file.h"
#include "linux/socket.h"
#include "linux/userns_switches.h"
#include "share/cookie_guard.h"
#include "share/guest_files.h"
#include "share/host_socket.h"
#include "share/share.h"
#include "share/socket_relay.h"
#include "share/x_display.h"
#include "share/x_helper.h"

namespace isolate {
namespace {

constexpr const char* kCookieFile = "Xauthority";
constexpr const char* kSocketDirectory = ".X11-unix";
constexpr const char* kXServer = "the X server";

enum class Mode { trusted, untrusted, nested };

Result<Mode> mode_of(const std::string& value) {
  if (value.empty() || value == "trusted") return Mode::trusted;
  if (value == "untrusted") return Mode::untrusted;
  if (value == "nested") return Mode::nested;
  return fail(fmt::format("x11: '{}' is not one of trusted, untrusted and nested", text::printable(value)));
}

// The mode that the user asked for. The option is not repeatable, so there is at most one.
Result<Mode> mode_of(const RunRequest& request) {
  const auto wish = std::find_if(request.shares.begin(), request.shares.end(),
                                 [](const ShareWish& one) { return one.option == "x11"; });
  return wish == request.shares.end() ? Mode::trusted : mode_of(wish->value);
}

Result<void> check_mode(const std::string& value) {
  TRY(mode_of(value));
  return {};
}

// PATH is not searched, because the caller's environment must not choose a program that root executes.
Result<std::string> find_server() {
  const bool is_wayland = has_only_wayland();
  const std::string name = is_wayland ? "Xwayland" : "Xephyr";
  auto path = first_executable({"/usr/bin/" + name, "/usr/local/bin/" + name});
  if (!path.empty()) return path;
  return fail(
      fmt::format("{} is not installed; --x11=nested needs it for its window; install it (Debian: apt-get install {})",
                  name, is_wayland ? "xwayland" : "xserver-xephyr"));
}

XTask task_for(XTask::Kind kind, const XDisplay& display) {
  XTask task;
  task.kind = kind;
  task.cookie = cookie_for(display);
  return task;
}

// With the host's network a guest reaches the display's abstract socket. A server that accepts clients of the caller
// without a cookie would trust a guest that comes this way, and neither a nested server nor an untrusted cookie helps.
Result<void> check_no_way_around(const RunRequest& request, unsigned number, const Caller& caller) {
  if (!has_network_of_host(request) || !accepts_without_cookie(number)) return {};
  return fail(fmt::format(
      "display :{}: with the host's network the guest reaches its abstract socket, where the X server accepts and "
      "trusts clients of yours without a cookie; leave out the host's network, or forbid such clients (xhost lists "
      "what is allowed; try xhost -si:localuser:{})",
      number, text::printable(caller.name())));
}

Result<void> check_security(const XDisplay& display, const Caller& caller) {
  std::vector<Fd> connections;
  connections.push_back(TRY(connect_to_display(caller)).socket);
  auto helper = XHelper::start(task_for(XTask::Kind::check_security, display), connections);
  if (!helper) return fail(std::move(helper).error().within(fmt::format("display :{}", display.number)));
  return {};
}

Result<void> check_nested(const Caller& caller) {
  TRY(find_server());
  if (caller.is_root()) return {};
  const auto reason = reason_against_user_namespaces();
  if (reason.empty()) return {};
  return fail(fmt::format("a nested X server needs a user namespace of its own: {}", reason));
}

SharePlan plan_for(unsigned number, const std::string& source) {
  RootMount mount;
  mount.source = source;
  mount.target = fmt::format("/tmp/{}/X{}", kSocketDirectory, number);
  SharePlan plan;
  plan.mounts.push_back(std::move(mount));
  plan.environment = {fmt::format("DISPLAY=:{}", number),
                      fmt::format("XAUTHORITY={}/{}", kRuntimeDirectory, kCookieFile), kRuntimeVariable};
  return plan;
}

Result<SharePlan> look_up(const RunRequest& request, const Caller& caller, const std::vector<std::string>& wishes) {
  const auto mode = TRY(mode_of(wishes.back()));
  if (mode == Mode::nested && has_only_wayland()) {
    TRY(open_host_socket(TRY(path_of_compositor()), kCompositor, caller));
    TRY_VOID(check_nested(caller));
    return plan_for(TRY(unused_display_number()), "Wayland");
  }
  if (has_only_wayland()) {
    return fail("DISPLAY is not set, because this session has Wayland only; use --x11=nested or --wayland");
  }
  const auto connection = TRY(connect_to_display(caller));
  auto display = connection.display;
  TRY_VOID(check_access(connection, cookie_for(display)));
  if (mode != Mode::trusted) TRY_VOID(check_no_way_around(request, display.number, caller));
  if (mode == Mode::untrusted) TRY_VOID(check_security(display, caller));
  if (mode == Mode::nested) {
    TRY_VOID(check_nested(caller));
    display.number = TRY(unused_display_number());
  }
  return plan_for(display.number, display.socket);
}

// The socket and a cookie for the guest. If a helper made the cookie, it ends with this object.
class SharedDisplay : public Held {
 public:
  SharedDisplay(unsigned number, XCookie cookie, std::optional<XHelper> helper, std::optional<SocketRelay> relay,
                Fd keeper = {})
      : number_(number),
        cookie_(std::move(cookie)),
        keeper_(std::move(keeper)),
        helper_(std::move(helper)),
        relay_(std::move(relay)) {}
  // Binds the display's own socket.
  SharedDisplay(unsigned number, XCookie cookie, HostSocket socket)
      : number_(number), cookie_(std::move(cookie)), socket_(std::move(socket)) {
    socket_.connection.reset();  // the server must not count isolate as a client while the guest runs
  }

  Result<void> open(RootInProgress* root, const RootMount& mount, std::size_t number) override {
    return relay_ || is_nested() ? Result<void>() : root->open_bind(mount, number);
  }

  Result<void> mount(RootInProgress* root, const RootMount& /*mount*/, std::size_t number) override {
    const auto directory = TRY(directory_in_tmp(*root, kSocketDirectory, 01777));
    const auto name = fmt::format("X{}", number_);
    if (relay_) {
      const auto further = keeper_ ? std::vector<int>{keeper_.get()} : std::vector<int>();
      TRY_VOID(relay_->serve(TRY(listen_for_guest(directory, name)), further));
    } else if (is_nested()) {
      TRY_VOID(attach_socket(helper_->socket(), directory, name));
    } else {
      const auto tree = TRY(root->opened(number));
      TRY_VOID(check_is_same(tree, socket_));
      TRY_VOID(attach_socket(tree, directory, name));
    }
    const auto runtime = TRY(runtime_directory(*root));
    const auto content = cookie_.bytes.empty() ? std::string() : TRY(authority_file(number_, cookie_));
    return write_private_file(*root, runtime, kCookieFile, content);
  }

 private:
  bool is_nested() const { return helper_ && helper_->socket(); }
  unsigned number_;
  XCookie cookie_;
  HostSocket socket_;
  Fd keeper_;  // for the relay
  std::optional<XHelper> helper_;
  std::optional<SocketRelay> relay_;
};

std::string title_of(const ShareContext& context) {
  const auto& root = context.request.directory.empty() ? context.run : context.request.directory;
  return fmt::format("isolate: {}", text::printable(root));
}

using Display = std::unique_ptr<Held>;

Result<Display> start_nested(unsigned number, const ShareContext& context) {
  XTask task;
  task.kind = XTask::Kind::nested;
  std::vector<Fd> connections;
  if (has_only_wayland()) {
    auto compositor = TRY(open_host_socket(TRY(path_of_compositor()), kCompositor, context.caller));
    connections.push_back(std::move(compositor.connection));
  } else {
    const auto display = TRY(connect_to_display(context.caller)).display;
    task.socket = display.socket;
    task.cookie = cookie_for(display);
    if (!display.is_abstract()) {
      connections.push_back(TRY(open_host_socket(display.socket, kXServer, context.caller)).file);
    }
  }
  task.program = TRY(find_server());
  task.title = title_of(context);
  task.number = number;
  task.uid = context.root_uid;
  task.gid = context.root_gid;
  auto helper = TRY(XHelper::start(task, connections));
  auto cookie = helper.cookie();
  return std::make_unique<SharedDisplay>(number, std::move(cookie), std::move(helper), std::nullopt);
}

// The server may have ended, and another user's server may listen in its place by now.
TrustsHost trusts_own_server(const Caller& caller) {
  return [caller](int connection) {
    const auto peer = socket_peer(connection);
    return peer && is_trusted(peer->uid, caller);
  };
}

bool is_hung_up(int socket) {
  pollfd state{socket, 0, 0};
  return ::poll(&state, 1, 0) != 0;
}

// The relay has a copy of the connection that keeps the cookie. While it is open, the server knows the cookie. A server
// that does not know the cookie, such as that of the caller's next session, may trust all clients of the caller.
RelayOptions options_for_untrusted(const std::string& socket, const XCookie& cookie, const Caller& caller) {
  const auto keeper = std::make_shared<Fd>();  // lives as long as the relay
  RelayOptions options;
  options.make_editor = [cookie, keeper] {
    return std::make_unique<CookieGuard>(cookie, [keeper] { return !is_hung_up(keeper->get()); });
  };
  options.trusts_host = trusts_own_server(caller);
  options.prepare = [keeper, socket](std::vector<Fd> further) -> Result<std::string> {
    *keeper = std::move(further.at(0));
    return socket;
  };
  return options;
}

Result<Display> start_untrusted(const ShareContext& context) {
  std::vector<Fd> connections;
  auto first = TRY(connect_to_display(context.caller));
  connections.push_back(std::move(first.socket));
  connections.push_back(TRY(connect_to_display(context.caller)).socket);
  auto helper = TRY(XHelper::start(task_for(XTask::Kind::untrusted, first.display), connections));
  auto cookie = helper.cookie();
  auto relay = TRY(SocketRelay::start("", options_for_untrusted(first.display.socket, cookie, context.caller)));
  return std::make_unique<SharedDisplay>(first.display.number, std::move(cookie), std::move(helper), std::move(relay),
                                         std::move(connections[1]));
}

// A relay is needed for an abstract socket, which the guest's network namespace lacks and which is no file to bind, and
// for a socket to which only the caller may connect, if the guest has other ids.
Result<Display> start_trusted(const XDisplay& display, const ShareContext& context) {
  if (!display.is_abstract()) {
    auto socket = TRY(open_host_socket(display.socket, kXServer, context.caller));
    if (context.has_callers_id || (socket.mode & S_IWOTH) != 0) {
      return std::make_unique<SharedDisplay>(display.number, cookie_for(display), std::move(socket));
    }
  }
  RelayOptions options;
  options.trusts_host = trusts_own_server(context.caller);
  auto relay = TRY(SocketRelay::start(display.socket, std::move(options)));
  return std::make_unique<SharedDisplay>(display.number, cookie_for(display), std::nullopt, std::move(relay));
}

Result<Display> start(const RootMount& mount, const ShareContext& context) {
  const auto name = mount.target.substr(mount.target.rfind('X') + 1);
  const auto number = static_cast<unsigned>(TRY(text::number(name, "display", 0, UINT16_MAX)));
  switch (TRY(mode_of(context.request))) {
    case Mode::nested:
      return start_nested(number, context);
    case Mode::untrusted:
      return start_untrusted(context);
    case Mode::trusted:
      break;
  }
  return start_trusted({number, mount.source}, context);
}

std::string describe_display(const RootMount& mount) {
  return fmt::format("X11 display: {} on {}", text::printable(mount.source), mount.target);
}

constexpr ShareOption kOption = {
    '1', "x11", "trusted|untrusted|nested", false, false, "show windows on your X11 display", check_mode};

}  // namespace

const Share kX11 = {
    .name = "x11", .describe = describe_display, .option = &kOption, .look_up = look_up, .start = start};

}  // namespace isolate
