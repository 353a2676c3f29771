// Message buses (--dbus): a socket for each bus, behind a filter that passes on only what the user's rules allow.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "linux/file.h"
#include "linux/mount.h"
#include "share/bus_address.h"
#include "share/bus_login.h"
#include "share/bus_proxy.h"
#include "share/bus_wish.h"
#include "share/guest_files.h"
#include "share/share.h"
#include "share/socket_relay.h"

namespace isolate {
namespace {

// A bus limits the connections of a user: the system bus to 256, of which 64 may be logging in. A guest must leave some
// to the user's other programs.
constexpr std::size_t kMostConnections = 32;

Result<void> check_wish(const std::string& value) {
  TRY(parse_bus_wish(value));
  return {};
}

const char* socket_name(BusKind bus) { return bus == BusKind::session ? "bus" : "system_bus_socket"; }
const char* variable_name(BusKind bus) {
  return bus == BusKind::session ? "DBUS_SESSION_BUS_ADDRESS" : "DBUS_SYSTEM_BUS_ADDRESS";
}

// A guest with the host's network reaches the host's abstract sockets without the filter.
Result<void> check_filter_holds(BusKind bus, const BusPlace& place, const RunRequest& request) {
  const bool is_abstract = std::any_of(place.sockets.begin(), place.sockets.end(),
                                       [](const std::string& socket) { return socket.starts_with('@'); });
  if (!is_abstract || !has_network_of_host(request)) return {};
  return fail(
      fmt::format("the {} bus listens on an abstract socket, which a guest with the host's network reaches "
                  "without the filter; leave out -n, and use another engine than chroot",
                  name_of(bus)));
}

// Returns the first socket at which the bus accepts the caller.
Result<std::string> find_socket(BusKind bus, const RunRequest& request, const Caller& caller) {
  auto place = TRY(place_of_bus(bus));
  TRY_VOID(check_filter_holds(bus, place, request));
  std::optional<Error> first;
  for (auto& socket : place.sockets) {
    auto outcome = check_login(bus, socket, caller);
    if (outcome) return std::move(socket);
    if (!first) first = std::move(outcome).error();
  }
  return fail(fmt::format("{} bus: {}; {}", name_of(bus), first->message(),
                          bus == BusKind::session ? "start isolate from a desktop session, or with dbus-run-session"
                                                  : "start it (Debian: apt-get install dbus)"));
}

// The source of the mount holds the arguments of the filter: the bus's address and the rules. None contains a space.
Result<RootMount> plan_bus(const BusWish& wish, const RunRequest& request, const Caller& caller) {
  RootMount mount;
  mount.target = fmt::format("{}/{}", kRuntimeDirectory, socket_name(wish.bus));
  mount.source = address_of_socket(TRY(find_socket(wish.bus, request, caller)));
  for (const auto& rule : wish.rules) mount.source += ' ' + rule;
  return mount;
}

Result<SharePlan> look_up(const RunRequest& request, const Caller& caller, const std::vector<std::string>& wishes) {
  TRY(find_bus_proxy());
  SharePlan plan;
  for (const auto bus : {BusKind::session, BusKind::system}) {
    BusWish all{bus, {}};
    bool is_wanted = false;
    for (const auto& value : wishes) {
      const auto wish = TRY(parse_bus_wish(value));
      if (wish.bus != bus) continue;
      is_wanted = true;
      all.rules.insert(all.rules.end(), wish.rules.begin(), wish.rules.end());
    }
    if (!is_wanted) continue;
    plan.mounts.push_back(TRY(plan_bus(all, request, caller)));
    plan.environment.push_back(fmt::format("{}=unix:path={}", variable_name(bus), plan.mounts.back().target));
  }
  plan.environment.emplace_back(kRuntimeVariable);
  return plan;
}

class FilteredBus : public Held {
 public:
  FilteredBus(SocketRelay relay, Fd place, Fd bus, std::string name)
      : relay_(std::move(relay)), place_(std::move(place)), bus_(std::move(bus)), name_(std::move(name)) {}

  Result<void> mount(RootInProgress* root, const RootMount& /*mount*/, std::size_t /*number*/) override {
    const auto runtime = TRY(runtime_directory(*root));
    const auto listening = TRY(listen_for_guest(runtime, name_));
    Fd made;
    if (!place_) made = TRY(make_place(*root));
    std::vector<int> further = {place_ ? place_.get() : made.get()};
    if (bus_) further.push_back(bus_.get());
    return relay_.serve(listening, further);
  }

 private:
  // Makes a directory for the filter in the stage's tmpfs. The guest does not see it.
  Result<Fd> make_place(const RootInProgress& root) const {
    const auto directory = "filter-" + name_;
    TRY_VOID(make_directory(root.stage(), directory, 0700));
    return open_file(root.stage(), directory, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  }

  SocketRelay relay_;
  Fd place_;  // where the filter listens; empty: in the stage's tmpfs
  Fd bus_;    // the socket of the bus; empty: it is abstract
  std::string name_;
};

// Opens the socket of the bus and checks it again. Returns nothing for an abstract socket.
Result<Fd> open_bus(BusKind bus, const std::string& address, const Caller& caller) {
  const auto sockets = TRY(sockets_of_addresses(address));
  if (sockets.at(0).starts_with('@')) return Fd();
  auto file = TRY(open_file(AT_FDCWD, sockets[0], O_PATH));
  TRY_VOID(check_login(bus, fmt::format("/proc/self/fd/{}", file.get()), caller));
  return file;
}

Result<std::unique_ptr<Held>> start(const RootMount& mount, const ShareContext& context) {
  const auto arguments = text::split(mount.source, ' ');
  const auto uid = context.caller.uid;
  RelayOptions options;
  options.most_connections = kMostConnections;
  options.make_editor = [uid] { return std::make_unique<LoginEditor>(uid); };
  const auto proxy = std::make_shared<std::optional<BusProxy>>();  // lives as long as the relay
  options.prepare = [arguments, proxy](const std::vector<Fd>& further) -> Result<std::string> {
    const Fd none;
    *proxy = TRY(BusProxy::start(arguments, further.at(0), further.size() > 1 ? further[1] : none));
    return (*proxy)->socket();
  };
  // The user namespace that owns the stage's tmpfs does not map root's id, so root could make no socket there.
  Fd place;
  if (context.caller.is_root()) place = TRY(mount::make("tmpfs", {{"mode", "0700"}}, MOUNT_ATTR_NOSUID));
  auto name = mount.target.substr(mount.target.rfind('/') + 1);
  const auto kind = name == socket_name(BusKind::session) ? BusKind::session : BusKind::system;
  auto bus = TRY(open_bus(kind, arguments.at(0), context.caller));
  auto relay = TRY(SocketRelay::start("", std::move(options)));
  return std::make_unique<FilteredBus>(std::move(relay), std::move(place), std::move(bus), std::move(name));
}

std::string describe_bus(const RootMount& mount) {
  return fmt::format("message bus on {}: xdg-dbus-proxy --filter {}", mount.target, text::printable(mount.source));
}

constexpr ShareOption kOption = {
    0, "dbus", "BUS[,RULE]...", true, true, "use a message bus, only as rules such as talk=NAME allow", check_wish};

}  // namespace

const Share kDbus = {.name = "dbus", .describe = describe_bus, .option = &kOption, .look_up = look_up, .start = start};

}  // namespace isolate
