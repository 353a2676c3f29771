#include "isolated/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/log.h"
#include "base/trace.h"
#include "isolated/group_keeper.h"
#include "isolated/peer.h"
#include "linux/file.h"
#include "pool/member_range.h"
#include "stage/layout.h"
#include "store/open.h"
#include "wire/manager.h"

namespace isolate {
namespace {

using std::chrono::milliseconds;

// Raises the limit of open files, because each waiting connection needs a descriptor. Errors: the limit is too low to
// serve anybody.
Result<void> raise_descriptor_limit() {
  constexpr rlim_t kLeast = 64;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return fail(errno, "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return fail(errno, "setrlimit");
  if (limit.rlim_max >= kLeast) return {};
  return fail(fmt::format(
      "the limit of open files (ulimit -n) is {}, which is too low; raise it to at least {}, better to some hundreds",
      limit.rlim_max, kLeast));
}

Result<Fd> hold_end_signals() {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  if (::sigprocmask(SIG_BLOCK, &ending, nullptr) != 0) return fail(errno, "sigprocmask");
  const int number = ::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
  if (number < 0) return fail(errno, "signalfd");
  return Fd(number);
}

Result<void> make_places(const std::string& main_store) {
  TRY_VOID(make_directories("/run/isolate", 0755));
  TRY_VOID(make_directories(stage::kOfRoot, 0755));
  TRY_VOID(make_directories(kCloneMounts, 0700));
  TRY_VOID(make_directories(kRangeLocks, 0700));
  OwnerNamespace owner(Caller::current());
  TRY(open_store(main_store, &owner, MissingStore::create));
  return {};
}

// The children of a killed daemon hold copies of the lock. They die with the daemon, but only after the file system has
// finished their current system call. So wait a while.
Result<FileLock> lock_daemon() {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (true) {
    auto file = TRY(open_file(AT_FDCWD, "/run/isolate/isolated.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    auto lock = FileLock::try_lock(std::move(file), FileLock::Mode::exclusive);
    if (lock || lock.error().code() != EWOULDBLOCK) return lock;
    if (std::chrono::steady_clock::now() > end) return fail("another isolated is already running");
    ::usleep(20'000);
  }
}

}  // namespace

Result<Server> Server::make(const std::string& main_store) {
  if (::geteuid() != 0) return fail("isolated must run as root");
  const auto group = TRY(group_of_members());
  TRY_VOID(raise_descriptor_limit());
  TRY_VOID(make_places(main_store));
  auto alone = TRY(lock_daemon());
  auto signals = TRY(hold_end_signals());
  keep_groups_without_systemd();
  auto pools = TRY(PoolKeeper::make(main_store));
  auto arrivals = TRY(Arrivals::make());
  auto listener = TRY(Listener::open(group));
  return Server(std::move(alone), std::move(signals), std::move(listener),
                Connections(main_store, group, std::move(arrivals)), std::move(pools));
}

Result<bool> Server::wait(Clock::time_point deadline) {
  std::vector<pollfd> sources = {
      {signals_.get(), POLLIN, 0}, {pools_.events(), POLLIN, 0}, {connections_.events(), POLLIN, 0}};
  const bool accepts = listener_.fd() >= 0 && Clock::now() >= accept_again_;
  if (accepts) {
    sources.push_back({listener_.fd(), POLLIN, 0});
  } else if (listener_.fd() >= 0) {
    deadline = std::min(deadline, accept_again_);
  }
  for (const int child : connections_.children()) sources.push_back({child, POLLIN, 0});
  for (const int child : pools_.children()) sources.push_back({child, POLLIN, 0});
  const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
  const auto timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
  if (::poll(sources.data(), sources.size(), timeout) < 0 && errno != EINTR) return fail(errno, "poll");
  if (sources[1].revents != 0) pools_.read_events();
  if (accepts && sources[3].revents != 0) accept_all();
  return sources[0].revents != 0;
}

void Server::accept_all() {
  // Limits the number, so that other work gets its turn. The limit is high, because the socket's queue is long and a
  // client that floods it may be in front.
  constexpr int kMostAtATime = 256;
  for (int i = 0; i < kMostAtATime; ++i) {
    auto connection = listener_.accept();
    if (!connection) {
      log::warning(connection.error().message());
      accept_again_ = Clock::now() + milliseconds(100);
      return;
    }
    if (!*connection) return;
    connections_.add(std::move(*connection));
  }
}

Result<void> Server::run() {
  log::info("ready");
  while (true) {
    pools_.work();
    connections_.serve_waiting();
    if (TRY(wait(std::min(pools_.next(), connections_.next())))) return finish();
    connections_.collect();
    pools_.collect();
  }
}

Result<void> Server::finish() {
  log::info("ending; leases stay as they are");
  listener_.close();
  connections_.drop_waiting();
  signalfd_siginfo info{};
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  while (Clock::now() < deadline && !(connections_.is_idle() && pools_.is_idle())) {
    [[maybe_unused]] const auto taken = ::read(signals_.get(), &info, sizeof info);  // it is ending already
    TRY(wait(deadline));
    connections_.collect();
    pools_.collect();
  }
  return {};  // children that still work are killed with this process
}

}  // namespace isolate
