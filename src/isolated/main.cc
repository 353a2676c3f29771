// isolated: leases clones to members of the group `isolate`, and keeps pools of fresh clones at their sizes.
#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>

#include "base/log.h"
#include "isolated/group_keeper.h"
#include "isolated/server.h"
#include "linux/signal_reset.h"
#include "linux/stream.h"

namespace isolate {
namespace {

constexpr const char* kHelp =
    R"(usage: isolated [--store DIR] [-q]
       isolated --keep-groups

Keeps the pools of fresh clones at their sizes, and leases clones to members of the group "isolate", who ask for one
with isolate -z. Started by systemd (isolated.socket) or by hand, as root. SIGTERM ends it; leases stay.

  --store DIR     the main store (default /var/lib/isolate)
  --keep-groups   instead: keep the control groups of leases with limits, as isolate-leases.service
  -q, --quiet     log only warnings and errors, not each lease
  --help          this text
  --version       the version
)";

struct Options {
  std::string store = "/var/lib/isolate";
  bool quiet = false;
  bool keeps_groups = false;
  const char* text = nullptr;  // the text to print instead of running
};

std::optional<Options> parse(int argc, char** argv) {
  enum { kStore = 1000, kKeepGroups, kHelpOption, kVersion };
  static const option kOptions[] = {
      {"store", required_argument, nullptr, kStore}, {"keep-groups", no_argument, nullptr, kKeepGroups},
      {"quiet", no_argument, nullptr, 'q'},          {"help", no_argument, nullptr, kHelpOption},
      {"version", no_argument, nullptr, kVersion},   {nullptr, 0, nullptr, 0}};
  Options options;
  for (int code = 0; (code = ::getopt_long(argc, argv, "q", kOptions, nullptr)) != -1;) {
    if (code == kStore) options.store = optarg;
    if (code == kKeepGroups) options.keeps_groups = true;
    if (code == 'q') options.quiet = true;
    if (code == kHelpOption) options.text = kHelp;
    if (code == kVersion) options.text = "isolated " ISOLATE_VERSION "\n";
    if (code == '?') return std::nullopt;
  }
  if (optind != argc) {
    log::error(std::string("unexpected argument '") + argv[optind] + "'; see isolated --help");
    return std::nullopt;
  }
  if (options.store.empty() || options.store.front() != '/') {
    log::error("--store '" + options.store + "': give an absolute path");
    return std::nullopt;
  }
  return options;
}

Result<void> run(const std::string& store) {
  auto server = TRY(Server::make(store));
  return server.run();
}

}  // namespace
}  // namespace isolate

int main(int argc, char** argv) {
  isolate::open_standard_descriptors();
  isolate::survive_file_size_limit();
  isolate::log::set_up("isolated", false);
  const auto options = isolate::parse(argc, argv);
  if (!options) return 2;
  if (options->text != nullptr) return std::fputs(options->text, stdout) >= 0 && std::fflush(stdout) == 0 ? 0 : 1;
  isolate::log::set_up("isolated", options->quiet);
  ::umask(022);
  const auto outcome = options->keeps_groups ? isolate::keep_groups() : isolate::run(options->store);
  if (outcome) return 0;
  isolate::log::error(outcome.error().message());
  return 1;
}
