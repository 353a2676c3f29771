#include "isolated/group_keeper.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>

#include "base/fd.h"
#include "base/log.h"
#include "base/trace.h"
#include "limits/lease_group.h"
#include "linux/socket.h"

namespace isolate {
namespace {

Result<void> notify_systemd() {
  const char* name = std::getenv("NOTIFY_SOCKET");
  if (name == nullptr) return {};
  const std::string path(name);
  auto address = TRY(unix_address(path));
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // an abstract address
  const Fd socket(static_cast<int>(TRY(trace::check(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket", path))));
  constexpr std::string_view kReady = "READY=1";
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  TRY(trace::check(::sendto(socket.get(), kReady.data(), kReady.size(), MSG_NOSIGNAL,
                            reinterpret_cast<const sockaddr*>(&address), size),
                   "sendto", path));
  return {};
}

}  // namespace

Result<void> keep_groups() {
  if (::geteuid() != 0) return fail("isolated must run as root");
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  ::sigprocmask(SIG_BLOCK, &ending, nullptr);
  const auto tree = TRY(make_group_tree());
  log::info("control groups of leases are in " + tree);
  TRY_VOID(notify_systemd());
  int signal = 0;
  ::sigwait(&ending, &signal);
  return {};
}

void keep_groups_without_systemd() {
  if (group_tree() || ::access("/run/systemd/system", F_OK) == 0) return;
  const auto tree = make_group_tree();
  log::info(tree ? "control groups of leases are in " + *tree : "leases have no limits: " + tree.error().message());
}

void remove_groups_of_ended_leases() {
  const auto tree = group_tree();
  if (!tree) return;
  const auto alone = lock_groups();
  if (alone) remove_ended_groups(*tree, Ended::runs_and_leases);
}

}  // namespace isolate
