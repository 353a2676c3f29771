// A Wayland display (--wayland): its socket and WAYLAND_DISPLAY. If the compositor has security-context-v1, it accepts
// the guest on a socket of the guest's own, and offers it only what a confined program may use.
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/text.h"
#include "base/trace.h"
#include "linux/file.h"
#include "linux/own_program.h"
#include "linux/process.h"
#include "linux/socket.h"
#include "share/guest_files.h"
#include "share/host_socket.h"
#include "wire/wayland_protocol.h"

namespace isolate {
namespace {

constexpr const char* kSocket = "wayland-0";
constexpr const char* kProgram = "isolate-wayland";

// isolate-wayland, connected to the compositor.
class Compositor {
 public:
  static Result<Compositor> start(const Fd& connection, const std::string& app, const std::string& instance) {
    auto ends = TRY(connected_sockets(kProgram));
    auto own = std::move(ends[0]);
    const auto theirs = std::move(ends[1]);
    auto child =
        TRY(spawn_tied({TRY(find_own_program(kProgram)), app, instance}, {connection.get(), theirs.get()}, SIGKILL,
                       {"LANG=C"}));  // none of the caller's variables, which may name other libraries
    return Compositor(std::move(child), std::move(own));
  }

  // Whether it has security contexts.
  Result<bool> can_restrict() const {
    const auto answer = TRY(receive());
    if (answer == wayland_protocol::kRestricts) return true;
    if (answer == wayland_protocol::kLacksContexts) return false;
    return fail(answer);
  }

  // Has the compositor accept clients on the socket until the other end of the pipe is closed.
  Result<void> accept_on(const Fd& listening, const Fd& pipe) const {
    TRY_VOID(send_message(control_.get(), "\n", {listening.get(), pipe.get()}));
    const auto answer = TRY(receive());
    if (answer == wayland_protocol::kDone) return {};
    return fail(answer);
  }

 private:
  Compositor(ChildProcess child, Fd control) : child_(std::move(child)), control_(std::move(control)) {}

  Result<std::string> receive() const {
    constexpr int kPatience = 5000;  // milliseconds
    constexpr std::size_t kLongest = 4096;
    if (!TRY(wait_readable(control_.get(), kPatience))) return fail(std::string(kCompositor) + " does not answer");
    auto message = TRY(receive_message(control_.get(), kLongest));
    if (!message.bytes.empty()) return std::move(message.bytes);
    return fail(
        fmt::format("{} does not run; is libwayland-client installed (Debian: apt-get install "
                    "libwayland-client0)?",
                    kProgram));
  }

  ChildProcess child_;
  Fd control_;
};

Result<SharePlan> look_up(const RunRequest& /*request*/, const Caller& caller,
                          const std::vector<std::string>& /*wishes*/) {
  const auto server = TRY(open_host_socket(TRY(path_of_compositor()), kCompositor, caller));
  RootMount mount;
  mount.target = fmt::format("{}/{}", kRuntimeDirectory, kSocket);
  mount.source = server.path;
  SharePlan plan;
  plan.mounts.push_back(std::move(mount));
  plan.environment = {std::string("WAYLAND_DISPLAY=") + kSocket, kRuntimeVariable};
  if (!TRY(TRY(Compositor::start(server.connection, "", "")).can_restrict())) {
    plan.warnings.emplace_back(
        "--wayland: the compositor can't restrict the guest, because it lacks security-context-v1; so the guest may "
        "use "
        "everything that your programs may, such as screenshots if the compositor offers them");
  }
  return plan;
}

class RestrictedDisplay : public Held {
 public:
  RestrictedDisplay(Compositor compositor, Pipe life) : compositor_(std::move(compositor)), life_(std::move(life)) {}

  Result<void> mount(RootInProgress* root, const RootMount& /*mount*/, std::size_t /*number*/) override {
    const auto listening = TRY(listen_for_guest(TRY(runtime_directory(*root)), kSocket));
    return compositor_.accept_on(listening, life_.read);
  }

 private:
  Compositor compositor_;
  // The compositor stops accepting clients when no process holds the writing end any more, that is, when isolate ends.
  Pipe life_;
};

Result<std::unique_ptr<Held>> start(const RootMount& mount, const ShareContext& context) {
  auto server = TRY(open_host_socket(mount.source, kCompositor, context.caller));
  const auto& request = context.request;
  const auto& app = request.template_name.empty() ? request.directory : request.template_name;
  auto compositor = TRY(Compositor::start(server.connection, app, context.run));
  if (!TRY(compositor.can_restrict())) return share_socket(std::move(server), context, "", kSocket);
  return std::make_unique<RestrictedDisplay>(std::move(compositor), TRY(make_pipe("compositor")));
}

std::string describe_display(const RootMount& mount) {
  return fmt::format("Wayland display: {} on {}", text::printable(mount.source), mount.target);
}

constexpr ShareOption kOption = {0, "wayland", nullptr, false, false, "show windows on your Wayland display", nullptr};

}  // namespace

const Share kWayland = {
    .name = "wayland", .describe = describe_display, .option = &kOption, .look_up = look_up, .start = start};

}  // namespace isolate
