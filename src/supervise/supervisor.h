// The supervisor: isolate while the command runs. Passes signals on, and learns from isolate-init how the command
// ended.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "base/fd.h"
#include "base/result.h"
#include "linux/process.h"
#include "linux/terminal.h"
#include "supervise/further_commands.h"
#include "supervise/init_watch.h"
#include "supervise/outcome.h"
#include "supervise/terminal_relay.h"

namespace isolate {

namespace protocol {
struct Message;
}

struct SupervisorOptions {
  bool ignore_interrupt = false;
  bool own_terminal = false;             // the guest has a terminal of its own
  std::chrono::milliseconds timeout{0};  // 0: none
  // The guest is in no foreground of the caller's terminal: it gets the signals of the terminal's keys from isolate.
  bool own_session = false;
  bool ends_in_order = false;  // the engine ends by itself after the command, within some seconds
};

class Supervisor {
 public:
  // hold_signals() comes first: whatever arrives from then on is dealt with in wait(), and the lease is always dropped.
  // `terminal`: the caller's, if they have one.
  static Result<Supervisor> make(const SupervisorOptions& options,
                                 std::optional<ControllingTerminal> terminal = ControllingTerminal::open());

  // What comes beside a message.
  struct Attached {
    pid_t sender = -1;  // as this process's pid namespace shows it
    Fd descriptor;
  };

  // The guest's end of the control socket and the write end of the report pipe: for the launcher alone.
  Fd& guest_control() { return guest_control_; }
  Fd& report_writer() { return report_writer_; }

  // From the command's start on, further commands for the guest are taken there. It outlives wait().
  void take_commands(FurtherCommands* listener) { listener_ = listener; }

  // Waits until the command and the engine have ended. `started` is called with the command's pid, as the host sees it.
  // Errors: the launcher's report; the engine's end before the command started.
  Result<RunOutcome> wait(ChildProcess launcher, const std::function<void(pid_t)>& started);
  // The same for a further command in the guest of another isolate, which has the guest's end of the control socket and
  // the other end of `connection`: there it tells why it does not pass it on. Errors: that; the end of the run.
  Result<RunOutcome> wait_for_further(Fd connection);

 private:
  Supervisor() = default;
  using Clock = std::chrono::steady_clock;

  // Takes one message; false when there is none.
  bool read_control();
  void take(Attached attached, const protocol::Message& message);
  void read_report();
  static bool belongs_to_terminal(int signal);
  // Whether the command may be running, and gets `signal` through isolate-init: nothing of it ran before its pid was
  // told.
  bool may_run(int signal);
  void pass_signal_on(const ChildProcess& launcher);
  void send_signal(int number, bool to_group = false);
  // A signal that the caller blocks waits for the command, as it would for any program. True if it is one.
  bool keeps_for_command(int signal);
  void send_kept_signals();
  void send(const protocol::Message& message) const;
  // Stops this process as its command was stopped; returns when it is continued, or when its time is over.
  void stop_too() const;
  // Whether a stopped command has gone on or ended since, or its time is over.
  bool goes_on() const;
  int milliseconds_left() const;
  void let_go();
  void end_what_took_too_long(const ChildProcess& launcher);
  void end_what_is_silent(const ChildProcess& launcher);
  void end_engine(const ChildProcess& launcher);
  void hand_terminal_back();
  Result<RunOutcome> conclude(const ExitStatus& engine) const;

  SupervisorOptions options_;
  std::optional<ControllingTerminal> terminal_;
  std::optional<TerminalRelay> relay_;
  std::optional<Clock::time_point> deadline_;         // of the command
  std::optional<Clock::time_point> engine_deadline_;  // of the engine, once the command has ended
  Fd control_;
  Fd guest_control_;
  Fd report_reader_;
  Fd report_writer_;
  Fd signals_;
  std::string report_;
  std::function<void(pid_t)> on_start_;
  pid_t command_pid_ = -1;
  bool has_started_ = false;
  int early_signal_ = 0;            // passed on before it was known whether the command has started
  std::uint64_t kept_signals_ = 0;  // as in SignalState
  int ending_signal_ = 0;
  int unanswered_signal_ = 0;
  bool stops_later_ = false;  // as the command has, once isolate-init has answered
  InitWatch watch_;
  RunOutcome outcome_;
  FurtherCommands* listener_ = nullptr;
  bool is_further_ = false;  // there is no engine of this process's
};

}  // namespace isolate
