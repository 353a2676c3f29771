// An X11 display (-1, --x11): its socket, DISPLAY, and a cookie.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "linux/file.h"
#include "linux/userns_switches.h"
#include "share/guest_files.h"
#include "share/share.h"
#include "share/x_display.h"
#include "share/x_helper.h"

namespace isolate {
namespace {

constexpr const char* kCookieFile = "Xauthority";
constexpr const char* kSocketDirectory = ".X11-unix";

enum class Mode { trusted, untrusted, nested };

Result<Mode> mode_of(const std::string& value) {
  if (value.empty() || value == "trusted") return Mode::trusted;
  if (value == "untrusted") return Mode::untrusted;
  if (value == "nested") return Mode::nested;
  return fail(fmt::format("x11: '{}' is not one of trusted, untrusted and nested", text::printable(value)));
}

// The mode that the user asked for; the option is not repeatable, so there is one.
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
  constexpr std::array kPaths = {"/usr/bin/Xephyr", "/usr/local/bin/Xephyr"};
  for (const char* path : kPaths) {
    if (::access(path, X_OK) == 0) return std::string(path);
  }
  return fail(
      "Xephyr is not installed, which makes the window of a nested display; install it (Debian: apt-get install "
      "xserver-xephyr)");
}

XTask task_for(XTask::Kind kind, const XDisplay& display) {
  XTask task;
  task.kind = kind;
  task.cookie = cookie_for(display);
  return task;
}

// A client without a cookie is trusted if the server accepts it at all, so the guest could do without the untrusted
// one.
Result<void> check_cookie_is_needed(const Caller& caller) {
  const auto connection = TRY(connect_to_display(caller));
  if (!check_access(connection, {})) return {};
  return fail(fmt::format(
      "display :{}: the X server accepts and trusts clients of yours without any cookie, so an untrusted one has no "
      "effect; forbid that (xhost -si:localuser:{}, or see what xhost lists), or use --x11=nested",
      connection.display.number, text::printable(caller.name())));
}

Result<void> check_untrusted(const XDisplay& display, const Caller& caller) {
  TRY_VOID(check_cookie_is_needed(caller));
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

Result<SharePlan> look_up(const RunRequest& /*request*/, const Caller& caller, const std::vector<std::string>& wishes) {
  const auto mode = TRY(mode_of(wishes.back()));
  const auto connection = TRY(connect_to_display(caller));
  auto display = connection.display;
  TRY_VOID(check_access(connection, cookie_for(display)));
  if (mode == Mode::untrusted) TRY_VOID(check_untrusted(display, caller));
  RootMount mount;
  mount.source = display.socket;
  if (mode == Mode::nested) {
    TRY_VOID(check_nested(caller));
    display.number = TRY(unused_display_number());
  }
  mount.target = fmt::format("/tmp/{}/X{}", kSocketDirectory, display.number);
  SharePlan plan;
  plan.mounts.push_back(std::move(mount));
  plan.environment = {fmt::format("DISPLAY=:{}", display.number),
                      fmt::format("XAUTHORITY={}/{}", kRuntimeDirectory, kCookieFile), kRuntimeVariable};
  return plan;
}

// The socket and a cookie for the guest. With a helper, the cookie ends with this object.
class SharedDisplay : public Held {
 public:
  SharedDisplay(unsigned number, XCookie cookie) : number_(number), cookie_(std::move(cookie)) {}
  SharedDisplay(unsigned number, XHelper helper)
      : number_(number), cookie_(helper.cookie()), helper_(std::move(helper)) {}

  Result<void> open(RootInProgress* root, const RootMount& mount, std::size_t number) override {
    return is_nested() ? Result<void>() : root->open_bind(mount, number);
  }

  Result<void> mount(RootInProgress* root, const RootMount& /*mount*/, std::size_t number) override {
    const auto directory = TRY(directory_in_tmp(*root, kSocketDirectory, 01777));
    const auto name = fmt::format("X{}", number_);
    if (is_nested()) {
      TRY_VOID(attach_socket(helper_->socket(), directory, name));
    } else {
      TRY_VOID(attach_socket(TRY(root->opened(number)), directory, name));
    }
    const auto runtime = TRY(runtime_directory(*root));
    const auto content = cookie_.bytes.empty() ? std::string() : TRY(authority_file(number_, cookie_));
    return write_private_file(*root, runtime, kCookieFile, content);
  }

 private:
  bool is_nested() const { return helper_ && helper_->socket(); }
  unsigned number_;
  XCookie cookie_;
  std::optional<XHelper> helper_;
};

std::string title_of(const ShareContext& context) {
  const auto& root = context.request.directory.empty() ? context.run : context.request.directory;
  return fmt::format("isolate: {}", text::printable(root));
}

Result<XHelper> start_nested(const XDisplay& display, unsigned number, const ShareContext& context) {
  auto task = task_for(XTask::Kind::nested, display);
  task.socket = display.socket;
  task.program = TRY(find_server());
  task.title = title_of(context);
  task.number = number;
  task.uid = context.root_uid;
  task.gid = context.root_gid;
  return XHelper::start(task, {});
}

Result<std::unique_ptr<Held>> start(const RootMount& mount, const ShareContext& context) {
  const auto name = mount.target.substr(mount.target.rfind('X') + 1);
  const auto number = static_cast<unsigned>(TRY(text::number(name, "display", 0, UINT16_MAX)));
  const auto mode = TRY(mode_of(context.request));
  if (mode == Mode::trusted) return std::make_unique<SharedDisplay>(number, cookie_for({number, mount.source}));
  auto connection = TRY(connect_to_display(context.caller));
  if (mode == Mode::nested) {
    return std::make_unique<SharedDisplay>(number, TRY(start_nested(connection.display, number, context)));
  }
  std::vector<Fd> connections;
  connections.push_back(std::move(connection.socket));
  connections.push_back(TRY(connect_to_display(context.caller)).socket);
  return std::make_unique<SharedDisplay>(
      number, TRY(XHelper::start(task_for(XTask::Kind::untrusted, connection.display), connections)));
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
