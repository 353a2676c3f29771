#include "supervise/job_control.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/held_signals.h"
#include "linux/process.h"
#include "linux/process_testing.h"

namespace isolate {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

// Both ends of a control socket.
struct Sockets {
  Sockets() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("socketpair");
    isolate = Fd(ends[0]);
    guest = Fd(ends[1]);
  }
  void report() const {
    if (::send(guest.get(), "x", 1, 0) != 1) throw std::runtime_error("send");
  }
  Fd isolate;
  Fd guest;
};

// A child that stops with its command, if it does, and ends with the status 7.
ChildProcess isolate_of(const JobControl::Job& job, bool command_stops = true) {
  return test::must(fork_child(0, [&] {
    hold_signals();
    JobControl control;
    if (command_stops) control.command_has_stopped();
    control.stop_if_due(job);
    return 7;
  }));
}

// Waits until the child stops or ends: "stopped", or "exit status N".
std::string state_of(const ChildProcess& child) {
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WSTOPPED | WNOWAIT) != 0) return "no child";
  return info.si_code == CLD_STOPPED ? "stopped" : "exit status " + std::to_string(info.si_status);
}

// A process that is stopped for as long as it lives.
ChildProcess stopped_command() {
  auto command = test::must(fork_child(0, [] {
    while (true) ::pause();
    return 0;
  }));
  command.signal(SIGSTOP);
  EXPECT_EQ(state_of(command), "stopped");
  return command;
}

TEST(JobControlTest, IsolateStopsWithItsCommandUntilAMessageArrives) {
  const Sockets sockets;
  const auto command = stopped_command();
  auto isolate = isolate_of({sockets.isolate.get(), command.pid(), {}, nullptr});
  ASSERT_EQ(state_of(isolate), "stopped");
  sockets.report();
  EXPECT_EQ(test::must(isolate.wait()).value, 7);
}

TEST(JobControlTest, TheCallersShellContinuesIsolate) {
  const Sockets sockets;
  auto isolate = isolate_of({sockets.isolate.get(), -1, {}, nullptr});
  ASSERT_EQ(state_of(isolate), "stopped");
  isolate.signal(SIGCONT);
  EXPECT_EQ(test::must(isolate.wait()).value, 7);
}

TEST(JobControlTest, AStopEndsAtTheDeadline) {
  const Sockets sockets;
  const auto deadline = JobControl::Clock::now() + milliseconds(300);
  auto isolate = isolate_of({sockets.isolate.get(), -1, deadline, nullptr});
  ASSERT_EQ(state_of(isolate), "stopped");
  EXPECT_EQ(test::must(isolate.wait()).value, 7);
  EXPECT_GE(JobControl::Clock::now(), deadline);
}

// Nobody would continue isolate in these cases.
TEST(JobControlTest, IsolateDoesNotStopWithoutAReason) {
  const Sockets sockets;
  const auto command = stopped_command();
  const auto expect_no_stop = [](const JobControl::Job& job, const char* why) {
    EXPECT_EQ(state_of(isolate_of(job)), "exit status 7") << why;
  };
  const auto now = JobControl::Clock::now();
  expect_no_stop({sockets.isolate.get(), command.pid(), now - hours(1), nullptr}, "the time is over");
  expect_no_stop({sockets.isolate.get(), ::getpid(), {}, nullptr}, "the command is not stopped");
  sockets.report();
  expect_no_stop({sockets.isolate.get(), command.pid(), {}, nullptr}, "a message is there");
}

TEST(JobControlTest, ACommandThatHasNotStoppedOrGoesOnDoesNotStopIsolate) {
  const Sockets sockets;
  const auto never_stopped = isolate_of({sockets.isolate.get(), -1, {}, nullptr}, false);
  EXPECT_EQ(state_of(never_stopped), "exit status 7");
  const auto goes_on = test::must(fork_child(0, [&] {
    JobControl control;
    control.command_has_stopped();
    control.command_goes_on();
    control.stop_if_due({sockets.isolate.get(), -1, {}, nullptr});
    return 7;
  }));
  EXPECT_EQ(state_of(goes_on), "exit status 7");
}

}  // namespace
}  // namespace isolate
