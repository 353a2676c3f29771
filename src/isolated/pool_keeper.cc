#include "isolated/pool_keeper.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "base/log.h"
#include "base/trace.h"
#include "isolated/group_keeper.h"

namespace isolate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Wait this long, so that runs that begin or end at the same time cause only one refresh.
constexpr milliseconds kPause{15};
constexpr seconds kScanEvery{30};
constexpr seconds kLongestBackOff{60};
constexpr std::size_t kMostAtATime = 2;
// The exit status of a refresh that had no time to remove everything.
constexpr int kNeedsMoreTime = 2;
constexpr seconds kLongestPauseInRemoval{10};

// The body of a child process.
int refresh_pool(const std::string& description, const std::string& name, bool logs_errors) {
  // A refresh needs none of the daemon's descriptors.
  ::syscall(SYS_close_range, 3, ~0U, 0);
  // Do this before clones are destroyed: processes in these groups may still use a clone.
  remove_groups_of_ended_leases();
  OwnerNamespace owner(Caller::current());
  auto store = open_store(description, &owner, MissingStore::refuse);
  auto report = store ? Pool(store->get(), name).refresh({}) : Result<RefreshReport>(fail(std::move(store).error()));
  if (!report) {
    if (logs_errors) log::warning(fmt::format("pool {} of {}: {}", name, description, report.error().message()));
    return 1;
  }
  for (const auto& id : report->destroyed) log::info("reaped " + id);
  if (report->made > 0) log::info(fmt::format("made {} fresh clones of {}", report->made, name));
  if (report->reason.empty()) return 0;
  if (logs_errors)
    log::warning(fmt::format("pool {} of {}: {}; it is tried again later", name, description, report->reason));
  return report->takes_long ? kNeedsMoreTime : 1;
}

}  // namespace

Result<PoolKeeper> PoolKeeper::make(std::string main_store) {
  const auto number = TRY(trace::check(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK), "inotify_init", main_store));
  return PoolKeeper(std::move(main_store), Fd(static_cast<int>(number)));
}

void PoolKeeper::watch(const std::string& path, unsigned events, const Watch& watch) {
  const int number = ::inotify_add_watch(inotify_.get(), path.c_str(), events | IN_ONLYDIR | IN_DONT_FOLLOW);
  if (number >= 0)
    watches_[number] = watch;  // if the directory does not exist yet or watches ran out, the next scan finds changes
}

void PoolKeeper::watch_pool(const Pool& pool, const std::string& key) {
  const Watch changed{Meaning::changed, key};
  // Also notices runs of root that take or end a lease.
  watch(pool.state_path("fresh"), IN_MOVED_FROM, changed);
  // A lease's lock is open for reading only, while a reap opens files for writing. So a reap does not wake the keeper.
  watch(pool.state_path("leased"), IN_CLOSE_NOWRITE, changed);
  watch(pool.state_path("trash"), IN_CLOSE_NOWRITE, changed);
}

void PoolKeeper::look_for_pools(bool all_are_due) {
  OwnerNamespace owner(Caller::current());
  const auto now = Clock::now();
  std::set<std::string> seen;
  watch(main_store_, IN_MOVED_TO, {});
  const auto stores = open_all_stores(main_store_, &owner);
  for (const auto& store : stores) {
    watch(store->state_directory(), IN_CREATE | IN_MOVED_TO, {});
    const auto names = pool_names(*store);
    if (!names) continue;  // the store has no pools
    for (const auto& name : *names) {
      const Pool pool(store.get(), name);
      const auto key = pool.state_path("");
      watch(key, IN_MOVED_TO, {Meaning::look, key});
      if (!pool.is_registered()) continue;
      seen.insert(key);
      const bool is_new = !pools_.contains(key);
      auto& kept = pools_[key];
      kept.store = store->description();
      kept.name = name;
      if (is_new || all_are_due) {
        watch_pool(pool, key);
        if (!kept.due) kept.due = now;
      }
    }
  }
  std::erase_if(pools_,
                [&seen](const auto& kept) { return !seen.contains(kept.first) && !kept.second.child.running(); });
}

void PoolKeeper::read_events() {
  alignas(inotify_event) char buffer[16384];
  while (true) {
    const ssize_t got = ::read(inotify_.get(), buffer, sizeof buffer);
    if (got <= 0) return;
    for (ssize_t at = 0; at < got;) {
      inotify_event event{};
      std::memcpy(&event, buffer + at, sizeof event);
      const char* name = buffer + at + sizeof event;
      handle_event(event.wd, event.mask, event.len > 0 && std::strcmp(name, "size") == 0);
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
}

void PoolKeeper::handle_event(int number, unsigned events, bool is_size) {
  const auto soon = Clock::now() + kPause;
  if ((events & IN_Q_OVERFLOW) != 0) {
    scan_at_ = soon;
    return;
  }
  const auto found = watches_.find(number);
  if (found == watches_.end()) return;
  const auto watch = found->second;
  if ((events & IN_IGNORED) != 0) {
    watches_.erase(found);
    return;
  }
  const auto kept = pools_.find(watch.pool);
  const bool is_known = kept != pools_.end();
  if (watch.meaning == Meaning::look && !(is_known && is_size) && !look_at_) look_at_ = soon;
  // Listing a directory of states causes an event for the directory itself (IN_ISDIR); ignore those.
  const bool is_file = (events & IN_ISDIR) == 0;
  const bool has_changed = (watch.meaning == Meaning::changed && is_file) || is_size;
  if (!is_known || !has_changed) return;
  // Something new has happened, so earlier failures do not matter.
  kept->second.failures = 0;
  if (!kept->second.due || *kept->second.due > soon) kept->second.due = soon;
}

std::vector<int> PoolKeeper::children() const {
  std::vector<int> descriptors;
  for (const auto& [key, kept] : pools_) {
    if (kept.child.running()) descriptors.push_back(kept.child.pidfd());
  }
  return descriptors;
}

void PoolKeeper::collect() {
  for (auto& [key, kept] : pools_) {
    if (!kept.child.running()) continue;
    pollfd end{kept.child.pidfd(), POLLIN, 0};
    if (::poll(&end, 1, 0) == 0) continue;
    const auto status = kept.child.wait();
    if (status && status->success()) {
      kept.failures = 0;
      kept.is_failing = false;
      continue;
    }
    const bool needs_more_time = status && !status->signalled && status->value == kNeedsMoreTime;
    const auto longest = needs_more_time ? kLongestPauseInRemoval : kLongestBackOff;
    const auto back_off = std::min<seconds>(seconds(1) * (1U << std::min(kept.failures, 6U)), longest);
    ++kept.failures;
    kept.is_failing = true;
    const auto again = Clock::now() + back_off;
    if (!kept.due || *kept.due > again) kept.due = again;
  }
}

void PoolKeeper::refresh(Kept* kept) {
  const bool logs_errors = !kept->is_failing;
  auto child = fork_child(0, [kept, logs_errors] { return refresh_pool(kept->store, kept->name, logs_errors); });
  kept->due.reset();
  if (child) {
    kept->child = std::move(*child);
    return;
  }
  log::warning("pool " + kept->name + ": " + child.error().message());
  kept->due = Clock::now() + seconds(1);
}

void PoolKeeper::work() {
  const auto now = Clock::now();
  if (now >= scan_at_) {
    look_for_pools(true);
    scan_at_ = now + kScanEvery;
    look_at_.reset();
  } else if (look_at_ && now >= *look_at_) {
    look_for_pools(false);
    look_at_.reset();
  }
  while (children().size() < kMostAtATime) {
    // Choose the pool that has waited longest, so that a few busy pools can't keep all others waiting.
    Kept* first = nullptr;
    for (auto& [key, kept] : pools_) {
      const bool is_due = kept.due && *kept.due <= now && !kept.child.running();
      if (is_due && (first == nullptr || *kept.due < *first->due)) first = &kept;
    }
    if (first == nullptr) return;
    refresh(first);
  }
}

PoolKeeper::Clock::time_point PoolKeeper::next() const {
  auto next = scan_at_;
  if (look_at_) next = std::min(next, *look_at_);
  const bool has_place = children().size() < kMostAtATime;
  for (const auto& [key, kept] : pools_) {
    if (kept.due && !kept.child.running() && has_place) next = std::min(next, *kept.due);
  }
  return next;
}

}  // namespace isolate
