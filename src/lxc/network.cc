#include "lxc/network.h"

#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "base/fd.h"
#include "base/trace.h"
#include "linux/file.h"

namespace isolate::lxc {
namespace {

Result<void> bring_up(const char* name) {
  const Fd socket(static_cast<int>(TRY(trace::check(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket", name))));
  ifreq request{};
  std::string(name).copy(request.ifr_name, sizeof request.ifr_name - 1);
  TRY(trace::check(::ioctl(socket.get(), SIOCGIFFLAGS, &request), "ioctl SIOCGIFFLAGS", name));
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  TRY(trace::check(::ioctl(socket.get(), SIOCSIFFLAGS, &request), "ioctl SIOCSIFFLAGS", name));
  return {};
}

Result<void> make_and_connect(int socket) {
  TRY(trace::check(::unshare(CLONE_NEWNET), "unshare", "network"));
  char answer[4096];
  if (::send(socket, "n", 1, MSG_NOSIGNAL) != 1) return fail(errno, "connect to the bridge");
  const auto got = ::recv(socket, answer, sizeof answer, 0);
  if (got <= 0) return fail("connect to the bridge: isolate closed the connection without an answer");
  if (got > 1) return fail(std::string(answer, static_cast<std::size_t>(got - 1)));
  TRY_VOID(bring_up("lo"));
  return bring_up("eth0");
}

}  // namespace

Result<pid_t> make_bridged_network(int socket) {
  int ends[2];
  TRY(trace::check(::pipe2(ends, O_CLOEXEC), "pipe2", "network"));
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  // Use clone(2) without an exit signal, for the reason given in run_system() in run.cc.
  const auto pid =
      static_cast<pid_t>(TRY(trace::check(::syscall(SYS_clone, 0, nullptr, nullptr, nullptr, 0), "clone", "network")));
  if (pid == 0) {
    const auto made = make_and_connect(socket);
    const auto message = made ? std::string("\n") : made.error().message();
    [[maybe_unused]] const auto written = write_all(writer.get(), message, "network");
    if (!made) ::_exit(1);
    writer.reset();
    while (true) ::pause();
  }
  writer.reset();
  const auto message = TRY(read_all(reader.get()));
  if (message == "\n") return pid;
  return fail(message.empty() ? "the process that holds the container's network ended without a message" : message);
}

}  // namespace isolate::lxc
