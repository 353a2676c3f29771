// isolate-lxc: the LXC engine's process. The launcher starts it in the namespaces of the run, where it is root, with
// the finished root; it has LXC make a container of that and stays until the container has ended.
//
//   isolate-lxc NAME ROOT none|host|bridge [shutdown] [log] -- INIT [ARG...]
//
// INIT is isolate-init, process 1 of the container, which finds its descriptors as wire/init_protocol.h says.
// shutdown: a system is shut down in order. log: all that LXC has to say goes to the file in memory.
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

// The number of words that are no part of INIT; 0: they are not what they should be.
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
    ::dprintf(STDERR_FILENO, "isolate-lxc is not called by hand\n");
    return kOwnFailure;
  }
  auto outcome = isolate::lxc::run_container(std::move(request), argv + words);
  if (outcome) return 0;
  ::dprintf(STDERR_FILENO, "%s\n", outcome.error().message().c_str());
  return kOwnFailure;
}
