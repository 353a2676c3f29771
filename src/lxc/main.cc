// isolate-lxc: the process of the lxc engine. The launcher starts it inside the run's namespaces, where it is root. It
// has LXC make a container from the finished root, and it stays until the container has ended.
//
//   isolate-lxc NAME ROOT none|host|bridge [shutdown] [log] -- INIT [ARG...]
//
// INIT is the command line of isolate-init, whose descriptors are described in wire/init_protocol.h. With "shutdown" a
// system that was booted is shut down in order. With "log" LXC writes its whole log to the file in memory that isolate
// has passed as kLogFd.
#include <unistd.h>

#include <optional>
#include <string_view>

#include "lxc/run.h"

namespace {

using isolate::lxc::ContainerRequest;
using isolate::lxc::Network;

std::optional<Network> network_of(std::string_view word) {
  if (word == "none") return Network::none;
  if (word == "host") return Network::host;
  if (word == "bridge") return Network::bridge;
  return std::nullopt;
}

// Returns how many words stand before INIT, or 0 if the command line is malformed.
int parse(int argc, char** argv, ContainerRequest* request) {
  constexpr int kFirstSwitch = 4;
  if (argc < kFirstSwitch) return 0;
  const auto network = network_of(argv[3]);
  if (!network) return 0;
  request->name = argv[1];
  request->root = argv[2];
  request->network = *network;
  for (int i = kFirstSwitch; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--") return i + 1 < argc ? i + 1 : 0;
    if (word == "shutdown") {
      request->shuts_down = true;
    } else if (word == "log") {
      request->keeps_log = true;
    } else {
      return 0;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int kOwnFailure = 125;
  ContainerRequest request;
  const int words = parse(argc, argv, &request);
  if (words == 0) {
    ::dprintf(STDERR_FILENO, "isolate-lxc is a part of isolate and not started by hand; use isolate -e lxc\n");
    return kOwnFailure;
  }
  auto outcome = isolate::lxc::run_container(std::move(request), argv + words);
  if (outcome) return 0;
  ::dprintf(STDERR_FILENO, "%s\n", outcome.error().message().c_str());
  return kOwnFailure;
}
