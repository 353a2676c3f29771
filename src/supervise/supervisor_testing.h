// For the tests of the supervisor: a function plays the guest.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <vector>

#include "base/testing.h"
#include "linux/held_signals.h"
#include "supervise/supervisor.h"
#include "wire/init_protocol.h"

namespace isolate::test_guest {

using protocol::Kind;
using protocol::Message;

// The guest's side: launcher, engine and isolate-init in one.
struct Guest {
  int control;
  int report;

  void say(Kind kind, int value = 0) const { say_bytes(Message{kind, value}); }
  template <typename Bytes>
  void say_bytes(const Bytes& bytes) const {
    if (::send(control, &bytes, sizeof bytes, 0) < 0) ::_exit(99);
  }
  void start() const {
    say(Kind::pid);
    say(Kind::started);
  }
  // Waits for the next message from the supervisor. Returns its value, or -1 if it has another kind.
  int next(Kind kind) const {
    Message message{};
    if (::recv(control, &message, sizeof message, 0) != ssize_t{sizeof message}) return -1;
    return message.kind == kind ? message.value : -1;
  }
  // Waits for the next signal that the supervisor passes on.
  int next_signal() const { return next(Kind::signal); }
};

struct Seen {
  RunOutcome outcome;
  std::vector<pid_t> started;
  pid_t launcher = -1;
};

using Body = std::function<int(const Guest&)>;
using OnStart = std::function<void()>;

// Runs `guest` in a child and waits for it as isolate does. Call this in a child of the test (test::in_child), since
// the supervisor changes the signals of its process.
inline Result<Seen> supervise(
    const Body& guest, const OnStart& on_start = [] {}, const SupervisorOptions& options = {}) {
  hold_signals();
  auto supervisor = TRY(Supervisor::make(options));
  const Guest ends{supervisor.guest_control().get(), supervisor.report_writer().get()};
  auto launcher = TRY(fork_child(0, [&] { return guest(ends); }));
  Seen seen;
  seen.launcher = launcher.pid();
  seen.outcome = TRY(supervisor.wait(std::move(launcher), [&](pid_t pid) {
    seen.started.push_back(pid);
    on_start();
  }));
  return seen;
}

inline Result<void> expect_end(const Seen& seen, const std::string& description) {
  const auto end = seen.outcome.ended ? seen.outcome.ended->describe() : "no end";
  return test::verify(end == description, description + ", not: " + end);
}

}  // namespace isolate::test_guest
