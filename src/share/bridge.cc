// Connects a container's network to a bridge of the host. A child of isolate waits until the container's side has
// made its network namespace. Then it makes a veth pair, and puts one end into that namespace as eth0, and the other
// end into the bridge. The kernel removes the pair together with the namespace.

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "base/random.h"
#include "base/text.h"
#include "base/trace.h"
#include "linux/file.h"
#include "linux/process.h"
#include "linux/socket.h"
#include "share/share.h"

namespace isolate {
namespace {

// PATH is not searched, because the caller's environment must not choose a program that root executes.
Result<std::string> find_ip() {
  auto path = first_executable({"/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"});
  if (!path.empty()) return path;
  return fail(
      "ip, which connects a container to a bridge, is not installed; install it (Debian: apt-get install iproute2)");
}

// lxc-user-nic is set-user-id root. It connects users' containers to the bridges that /etc/lxc/lxc-usernet allows.
Result<std::string> find_user_nic() {
  auto path = first_executable(
      {"/usr/libexec/lxc/lxc-user-nic", "/usr/lib/x86_64-linux-gnu/lxc/lxc-user-nic", "/usr/lib/lxc/lxc-user-nic"});
  if (!path.empty()) return path;
  return fail(
      "lxc-user-nic, which connects an ordinary user's container to a bridge, is not installed; install it (Debian: "
      "apt-get install lxc), or use the host's network (LXC_NET_BR=none)");
}

// Waits for the message of isolate-lxc, and returns the sender's pid in this pid namespace. -1: isolate-lxc has ended.
pid_t wait_for_namespace(int socket) {
  char byte = 0;
  iovec data{&byte, sizeof byte};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(ucred))];
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = space;
  header.msg_controllen = sizeof space;
  if (::recvmsg(socket, &header, MSG_CMSG_CLOEXEC) != 1) return -1;
  const cmsghdr* control = CMSG_FIRSTHDR(&header);
  if (control == nullptr || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_CREDENTIALS) return -1;
  ucred credentials{};
  std::memcpy(&credentials, CMSG_DATA(control), sizeof credentials);
  return credentials.pid > 0 ? credentials.pid : -1;
}

// Removes the place in LXC's source from a line such as
// "../src/lxc/cmd/lxc_user_nic.c: 593: create_nic: Error attaching ..."
std::string message_of(const std::string& line) {
  if (!line.starts_with("../")) return line;
  std::size_t begin = 0;
  for (int i = 0; i < 3; ++i) {
    const auto colon = line.find(": ", begin);
    if (colon == std::string::npos) break;
    begin = colon + 2;
  }
  return line.substr(begin);
}

Result<void> run(const std::vector<std::string>& command, const std::string& bridge) {
  const auto output = TRY(run_program(command));
  if (output.status.success()) return {};
  const auto said = message_of(text::split(output.err, '\n').front());
  return fail(fmt::format("can't connect the container to bridge {}: {}", bridge,
                          said.empty() ? output.status.describe() : text::printable(said)));
}

Result<void> connect(const std::string& bridge, bool is_root, pid_t pid) {
  const auto process = std::to_string(pid);
  if (!is_root) {
    return run({TRY(find_user_nic()), "create", "/", "isolate", process, "veth", bridge, "eth0"}, bridge);
  }
  const auto ip = TRY(find_ip());
  const auto name = "iso" + random_name();
  TRY_VOID(run({ip, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", process}, bridge));
  return run({ip, "link", "set", name, "master", bridge, "up"}, bridge);
}

int serve(int socket, const std::string& bridge, bool is_root) {
  const auto pid = wait_for_namespace(socket);
  if (pid < 0) return 1;
  const auto connected = connect(bridge, is_root, pid);
  const auto answer = connected ? std::string() : connected.error().message();
  // The line feed keeps the message from being empty: an empty one looks to the receiver like a closed socket.
  const auto message = answer + '\n';
  return ::send(socket, message.data(), message.size(), MSG_NOSIGNAL) < 0 ? 1 : 0;
}

// This does not look in /sys, which may be mounted for another network namespace.
bool is_bridge(const std::string& name) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ethtool_drvinfo driver{};
  driver.cmd = ETHTOOL_GDRVINFO;
  ifreq request{};
  name.copy(request.ifr_name, sizeof request.ifr_name - 1);
  request.ifr_data = reinterpret_cast<char*>(&driver);
  return ::ioctl(socket.get(), SIOCETHTOOL, &request) == 0 && std::string_view(driver.driver) == "bridge";
}

class BridgeConnector : public Held {
 public:
  BridgeConnector(ChildProcess child, Fd guest_end) : child_(std::move(child)), guest_end_(std::move(guest_end)) {}
  // isolate-lxc gets this end. It sends a message when it is in its network namespace. The answer is an empty line, or
  // the text of an error.
  int guest_end() const override { return guest_end_.get(); }

 private:
  ChildProcess child_;
  Fd guest_end_;
};

}  // namespace

Result<void> check_bridge(const std::string& bridge, const Caller& caller) {
  if (!is_bridge(bridge)) {
    return fail(fmt::format(
        "there is no bridge {}, to which -n connects a container; name a bridge in LXC_NET_BR, or set it to "
        "none for the host's network",
        bridge));
  }
  if (caller.is_root()) {
    TRY(find_ip());
  } else {
    TRY(find_user_nic());
  }
  return {};
}

Result<std::unique_ptr<Held>> start_bridge(const std::string& bridge, const Caller& caller) {
  auto ends = TRY(connected_sockets("bridge"));
  auto own = std::move(ends[0]);
  auto guest_end = std::move(ends[1]);
  const int on = 1;
  TRY(trace::check(::setsockopt(own.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on), "setsockopt", "SO_PASSCRED"));
  auto child = TRY(fork_child(0, [&] {
    guest_end.reset();
    // Otherwise this process would hold the lease and the clone's mount until it ends.
    close_all_but({STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, own.get()});
    return serve(own.get(), bridge, caller.is_root());
  }));
  return std::make_unique<BridgeConnector>(std::move(child), std::move(guest_end));
}

}  // namespace isolate
