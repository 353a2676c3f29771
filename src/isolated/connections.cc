#include "isolated/connections.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "isolated/peer.h"
#include "linux/file.h"
#include "linux/idmap.h"

namespace isolate {
namespace {

// The body of the process that serves one connection. It closes all other descriptors.
int serve_alone(int connection, const ServiceSettings& settings, bool is_preferred) {
  constexpr int kLess = 10;
  // If the priority can't be lowered, the connection is served all the same.
  if (!is_preferred) ::setpriority(PRIO_PROCESS, 0, kLess);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  constexpr int kKept = STDERR_FILENO + 1;
  if (connection != kKept && ::dup3(connection, kKept, O_CLOEXEC) < 0) return 1;
  ::syscall(SYS_close_range, kKept + 1, ~0U, 0);
  Fd kept(kKept);
  auto peer = peer_of(kept.get());
  if (!peer) return 1;  // the peer has closed the connection
  if (auto held = hold_process(kept.get(), &*peer); !held) return 1;
  return serve(std::move(kept), *peer, settings);
}

bool has_closed(const Fd& connection) {
  pollfd end{connection.get(), 0, 0};
  return ::poll(&end, 1, 0) > 0 && (end.revents & (POLLHUP | POLLERR)) != 0;
}

}  // namespace

std::size_t Connections::waiting_number() const {
  std::size_t number = arrivals_.number();
  for (const auto& [uid, connections] : waiting_) number += connections.size();
  return number;
}

std::size_t Connections::served_of(uid_t uid) const {
  return static_cast<std::size_t>(
      std::count_if(services_.begin(), services_.end(), [uid](const Served& served) { return served.uid == uid; }));
}

std::size_t Connections::waiting_of(uid_t uid) const {
  const auto found = waiting_.find(uid);
  return arrivals_.number_of(uid) + (found == waiting_.end() ? 0 : found->second.size());
}

void Connections::drop_newest_of(uid_t uid) {
  if (arrivals_.number_of(uid) > 0) return arrivals_.drop_newest_of(uid);
  const auto found = waiting_.find(uid);
  found->second.pop_back();
  if (found->second.empty()) waiting_.erase(found);
}

bool Connections::make_room(std::size_t own) {
  if (own >= kWaitingOfUser) return false;
  if (waiting_number() < kWaiting) return true;
  // Otherwise a few users could fill the queue and shut out all others.
  auto users = arrivals_.users();
  for (const auto& [uid, connections] : waiting_) users.push_back(uid);
  const auto most =
      *std::max_element(users.begin(), users.end(), [this](uid_t a, uid_t b) { return waiting_of(a) < waiting_of(b); });
  if (waiting_of(most) <= own + 1) return false;
  drop_newest_of(most);
  return true;
}

void Connections::look_up_group() {
  constexpr const char* kGroups = "/etc/group";
  const auto status = status_of(AT_FDCWD, kGroups);
  if (!status) return;
  const auto changed = std::tuple(status->st_ino, status->st_size, status->st_mtim.tv_sec, status->st_mtim.tv_nsec);
  if (changed == groups_) return;
  // The group may have got another id meanwhile. Only the file is read, because other sources could make the daemon
  // wait.
  if (const auto group = local_group_id(kGroupOfMembers)) group_ = *group;
  groups_ = changed;
}

void Connections::add(Fd connection) {
  if (has_closed(connection)) return;  // some clients only connect and close: spend nothing on them
  const auto peer = peer_of(connection.get());
  if (!peer) return;  // the peer has closed the connection
  look_up_group();
  const auto may = may_connect(connection.get(), *peer, group_);
  if (!may || !*may) {
    log::warning(fmt::format("refused uid {}, pid {}: not a member of the group isolate", peer->uid, peer->pid));
    return;
  }
  if (make_room(waiting_of(peer->uid))) arrivals_.add(peer->uid, std::move(connection));
}

std::map<uid_t, std::deque<Fd>>::iterator Connections::next_user() {
  // Start with the user after the one served last, and wrap around.
  auto user = waiting_.upper_bound(last_served_);
  for (std::size_t i = 0; i < waiting_.size(); ++i, ++user) {
    if (user == waiting_.end()) user = waiting_.begin();
    const auto served = served_of(user->first);
    const auto most = served == 0 ? kServed + kServedFirst : kServed;
    if (served < kServedOfUser && services_.size() < most) return user;
  }
  return waiting_.end();
}

void Connections::serve_waiting() {
  for (auto& [uid, connection] : arrivals_.take_ready()) waiting_[uid].push_back(std::move(connection));
  while (true) {
    const auto user = next_user();
    if (user == waiting_.end()) return;
    last_served_ = user->first;
    Fd connection = std::move(user->second.front());
    user->second.pop_front();
    if (user->second.empty()) waiting_.erase(user);
    if (!has_closed(connection)) serve(last_served_, std::move(connection));
  }
}

void Connections::serve(uid_t uid, Fd connection) {
  const ServiceSettings settings{main_store_, ::getpid(), services_.size() + 1, waiting_number()};
  const bool is_preferred = served_of(uid) < kPreferredOfUser;
  auto process = fork_child(0, [&] { return serve_alone(connection.get(), settings, is_preferred); });
  if (!process) {
    log::warning(fmt::format("connection of uid {}: {}", uid, process.error().message()));
    return;
  }
  services_.push_back({uid, std::move(*process), Clock::now() + kLongestService});
}

std::vector<int> Connections::children() const {
  std::vector<int> descriptors;
  for (const auto& served : services_) descriptors.push_back(served.process.pidfd());
  return descriptors;
}

void Connections::collect() {
  const auto now = Clock::now();
  std::erase_if(services_, [now](Served& served) {
    pollfd end{served.process.pidfd(), POLLIN, 0};
    if (now >= served.deadline) served.process.signal(SIGKILL);
    if (::poll(&end, 1, 0) == 0) return false;
    auto ignored = served.process.wait();  // the process has logged its own errors
    return true;
  });
}

Connections::Clock::time_point Connections::next() const {
  auto next = arrivals_.next();
  for (const auto& served : services_) next = std::min(next, served.deadline);
  return next;
}

}  // namespace isolate
