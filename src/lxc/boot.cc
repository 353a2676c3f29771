#include "lxc/boot.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "base/trace.h"
#include "linux/file.h"
#include "linux/socket.h"
#include "wire/init_protocol.h"

namespace isolate::lxc {
namespace {

using Clock = std::chrono::steady_clock;

// Waits for a message with the line READY=1. Returns false if none has come by the deadline.
bool wait_for_ready(int socket, Clock::time_point deadline) {
  for (auto now = Clock::now(); now < deadline; now = Clock::now()) {
    pollfd source{socket, POLLIN, 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count();
    if (::poll(&source, 1, static_cast<int>(left)) <= 0) continue;
    char message[4096];
    const auto got = ::recv(socket, message, sizeof message, MSG_DONTWAIT);
    const std::string_view text(message, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    const auto lines = text::split(text, '\n');
    if (std::find(lines.begin(), lines.end(), "READY=1") != lines.end()) return true;
  }
  return false;
}

}  // namespace

std::optional<SystemInit> find_init(const std::string& root) {
  const auto directory = open_file(AT_FDCWD, root, O_PATH | O_DIRECTORY);
  if (!directory) return std::nullopt;
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const Fd init(static_cast<int>(::syscall(SYS_openat2, directory->get(), protocol::kSystemInit, &how, sizeof how)));
  if (!init || ::faccessat(init.get(), "", X_OK, AT_EMPTY_PATH) != 0) return std::nullopt;
  char path[PATH_MAX];
  const auto length = ::readlink(("/proc/self/fd/" + std::to_string(init.get())).c_str(), path, sizeof path);
  const std::string_view name(path, static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  return SystemInit{name.ends_with("/systemd")};
}

Result<BootNotice> BootNotice::listen(const std::string& path) {
  const auto address = TRY(unix_address(path));
  Fd socket(static_cast<int>(TRY(trace::check(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket", path))));
  TRY(trace::check(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind", path));
  return BootNotice(std::move(socket));
}

void BootNotice::wait(int errors) const {
  constexpr std::chrono::seconds kSilence{3};
  constexpr std::chrono::seconds kPatience{27};
  if (wait_for_ready(socket_.get(), Clock::now() + kSilence)) return;
  ::dprintf(errors, "isolate: the root's init boots; the command starts when that is done\n");
  if (wait_for_ready(socket_.get(), Clock::now() + kPatience)) return;
  ::dprintf(errors, "isolate: warning: the root's init has not booted within 30 seconds; the command starts now\n");
}

}  // namespace isolate::lxc
