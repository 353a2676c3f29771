#include "warm/warm_run.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/exit_codes.h"
#include "base/log.h"
#include "join/exec_listener.h"
#include "linux/caller.h"
#include "linux/file.h"
#include "linux/held_signals.h"
#include "linux/sealed_file.h"
#include "linux/socket.h"
#include "linux/terminal.h"
#include "request/store_path.h"
#include "supervise/status_stream.h"
#include "warm/begin_request.h"
#include "warm/profile.h"
#include "wire/warm_protocol.h"

namespace isolate {
namespace {

using namespace warm_protocol;

BeginRequest begin_request(const RunRequest& request, std::string profile) {
  BeginRequest begin;
  begin.profile = std::move(profile);
  begin.command = request.command;
  begin.environment = request.environment;
  begin.directory = request.working_directory;
  if (const char* term = std::getenv("TERM")) begin.term = term;
  begin.timeout = request.timeout;
  begin.ignore_interrupt = request.ignore_interrupt;
  begin.timings = request.timings;
  begin.sync = request.sync;
  begin.quiet = request.quiet;
  begin.leads_session = ::getsid(0) == ::getpid();
  begin.umask = ::umask(022);
  ::umask(begin.umask);
  begin.signals = signals_of_caller();
  return begin;
}

// Whether the process at the other end is what the socket's name says. A guest that was shown the directory could
// listen there too; it would get the command and its descriptors.
bool is_isolate_of_user(const Fd& connection, const std::string& name) {
  const auto peer = socket_peer(connection.get());
  return peer && peer->uid == ::getuid() && name.ends_with(fmt::format(".warm.{}", peer->pid)) &&
         shares_pid_namespace(connection.get(), *peer);
}

// The connection to the isolate of a warm guest.
class WarmConnection {
 public:
  WarmConnection(Fd socket, int signals) : socket_(std::move(socket)), signals_(signals) {}

  enum class Answer { taken, refused, silent };
  // Asks for the guest. `reason` is set if the other isolate gave one for its refusal.
  Answer take(const Fd& message, std::string* reason) const {
    if (!send_message(socket_.get(), kMark, {message.get()})) return Answer::refused;
    const bool is_silent = !has_answer();
    // If the other isolate has not answered by now, it can't any more, and gives the guest to another run.
    if (is_silent) ::shutdown(socket_.get(), SHUT_RD);
    const auto answer = receive_message(socket_.get(), kMostAnswerBytes);
    if (answer && answer->bytes.starts_with(kRefused)) *reason = answer->bytes.substr(kRefused.size());
    if (answer && answer->bytes == kTaken) return Answer::taken;
    return is_silent ? Answer::silent : Answer::refused;
  }

  // Sends the streams and passes on signals until the run has ended, and returns its exit status. Errors: the other
  // isolate has ended.
  Result<int> wait_for_end(int status) const {
    std::vector<int> streams = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    if (status >= 0) streams.push_back(status);
    // If this fails, the other isolate has ended, which the loop finds out.
    [[maybe_unused]] auto sent = send_message(socket_.get(), kStreams, streams);
    while (true) {
      auto sources = this->sources();
      if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) return fail(errno, "poll");
      if (sources[1].revents != 0) pass_on_signal();
      if (sources[0].revents != 0) return end_of_run();
    }
  }

 private:
  std::array<pollfd, 2> sources() const { return {{{socket_.get(), POLLIN, 0}, {signals_, POLLIN, 0}}}; }

  // Waits for an answer, but not if the other isolate is stopped, or if a signal has come for this run.
  bool has_answer() const {
    constexpr int kPatience = 2000;  // milliseconds
    auto sources = this->sources();
    return ::poll(sources.data(), sources.size(), kPatience) > 0 && sources[0].revents != 0;
  }

  void pass_on_signal() const {
    signalfd_siginfo info{};
    if (::read(signals_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
    const Signal signal{static_cast<std::int32_t>(info.ssi_signo), info.ssi_code};
    [[maybe_unused]] auto sent = send_message(socket_.get(), {reinterpret_cast<const char*>(&signal), sizeof signal});
  }

  Result<int> end_of_run() const {
    auto answer = receive_message(socket_.get(), kMostAnswerBytes);
    // The other isolate has closed its end and left a signal unread. The next call reads what it sent before that.
    if (!answer && answer.error().code() == ECONNRESET) answer = receive_message(socket_.get(), kMostAnswerBytes);
    if (!answer) return fail(std::move(answer).error());
    const auto& text = answer->bytes;
    int status = kOwnFailure;
    const auto* number = text.data() + kEnded.size();
    const bool is_end =
        text.starts_with(kEnded) && std::from_chars(number, text.data() + text.size(), status).ec == std::errc();
    if (!is_end) return fail("the isolate of the warm guest has ended, and the guest with it");
    return status;
  }

  Fd socket_;
  int signals_;
};

// Looks for a guest. If another run was faster, call take() again.
class Search {
 public:
  Search(Fd directory, const Fd& message, const Fd& signals)
      : directory_(std::move(directory)), message_(message), signals_(signals) {}

  // Asks all guests one after another. Returns nothing if this run can have none of them.
  std::optional<WarmConnection> take() {
    auto names = list_directory(directory_.get(), ".").value_or(std::vector<std::string>());
    was_slower_ = false;
    if (names.empty()) return std::nullopt;
    // Runs that start at the same time begin at different guests.
    std::rotate(names.begin(), names.begin() + ::getpid() % static_cast<int>(names.size()), names.end());
    for (const auto& name : names) {
      if (name.starts_with('.')) continue;  // it does not listen yet
      auto socket = connect_in(directory_, name);
      if (!socket) {
        // The isolate of this guest was killed.
        if (socket.error().code() == ECONNREFUSED) ::unlinkat(directory_.get(), name.c_str(), 0);
        was_slower_ |= socket.error().code() == EAGAIN;
        continue;
      }
      if (!is_isolate_of_user(*socket, name)) continue;
      if (Clock::now() > deadline_) break;
      WarmConnection connection(std::move(*socket), signals_.get());
      std::string reason;
      const auto answer = connection.take(message_, &reason);
      if (answer == WarmConnection::Answer::taken) return connection;
      was_slower_ |= answer == WarmConnection::Answer::refused && reason.empty();
      if (!reason.empty()) reason_ = std::move(reason);
      if (answer == WarmConnection::Answer::silent) {
        reason_ = "a guest's isolate does not answer";
        break;
      }
    }
    return std::nullopt;
  }
  // Whether another run has taken a guest that this one has asked for, so that a new search may find others.
  bool was_slower() const { return was_slower_; }
  // Whether there was a guest to ask.
  bool found_any() const { return was_slower_ || !reason_.empty(); }
  std::string reason() const {
    if (!reason_.empty()) return reason_;
    return was_slower_ ? "other runs have taken all that fit" : "none fits";
  }

 private:
  using Clock = std::chrono::steady_clock;
  // A guest may take a second to refuse, if the daemon does not answer its isolate. Then don't ask all of them.
  const Clock::time_point deadline_ = Clock::now() + std::chrono::seconds(2);
  Fd directory_;
  const Fd& message_;
  const Fd& signals_;
  std::string reason_;  // that a guest's isolate gave
  bool was_slower_ = false;
};

// Looks in one directory for runs.
std::optional<WarmConnection> take_guest_in(Fd directory, const Fd& message, const Fd& signals, std::string* reason) {
  Search search(std::move(directory), message, signals);
  // Guests that were made since the directory was read may be there although those in it have all been taken.
  constexpr int kMostTries = 50;
  auto connection = search.take();
  for (int i = 1; i < kMostTries && !connection && search.was_slower(); ++i) connection = search.take();
  if (!connection && search.found_any()) *reason = search.reason();
  return connection;
}

Result<std::optional<WarmConnection>> take_guest(const RunRequest& request, const Fd& signals, std::string* reason) {
  const auto caller = Caller::current();
  const auto places = find_runs_directories(caller, TRY(store_path(request.store, caller)));
  if (places.empty()) return std::optional<WarmConnection>();
  const auto profile = TRY(warm_profile(request));
  const auto name = name_of_profile(profile);
  Fd message;
  for (const auto& place : places) {
    auto directory = open_file(place.directory.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) continue;
    if (!message) message = TRY(sealed_file("isolate-begin", TRY(to_message(begin_request(request, profile)))));
    auto connection = take_guest_in(std::move(*directory), message, signals, reason);
    if (connection) return connection;
  }
  return std::optional<WarmConnection>();
}

Result<void> check(const RunRequest& request) {
  TRY_VOID(check_can_be_warm(request));
  TRY(StatusStream::open(request.status_fd));
  if (count_standard_terminals() == 0) return {};
  return fail("a warm guest is not possible if standard input, output or error is a terminal");
}

}  // namespace

Result<std::optional<int>> run_in_warm_guest(const RunRequest& request) {
  if (request.warm == WarmUse::never) return std::nullopt;
  const bool is_required = request.warm == WarmUse::required;
  if (auto possible = check(request); !possible) {
    if (is_required) return fail(std::move(possible).error());
    return std::nullopt;
  }
  hold_signals();
  const auto signals = TRY(held_signals());
  std::string reason = "none fits";
  const auto connection = take_guest(request, signals, &reason);
  if (connection && *connection) return TRY((*connection)->wait_for_end(request.status_fd));
  // A run that makes its own guest handles a signal that has come meanwhile.
  if (!is_required) return std::nullopt;
  if (!connection) return fail(connection.error());
  return fail(Error("no warm guest can be taken: " + reason)
                  .advise("isolatectl warm makes guests with the same options, limits and groups"));
}

}  // namespace isolate
