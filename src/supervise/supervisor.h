// The supervisor: isolate while the command runs. It passes signals on to the command, and learns from isolate-init how
// the command ended.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "linux/process.h"
#include "linux/terminal.h"
#include "supervise/control_socket.h"
#include "supervise/event_sources.h"
#include "supervise/further_commands.h"
#include "supervise/init_watch.h"
#include "supervise/job_control.h"
#include "supervise/outcome.h"
#include "supervise/remote_caller.h"
#include "supervise/signal_decision.h"
#include "supervise/terminal_relay.h"

namespace isolate {

struct SupervisorOptions {
  bool ignore_interrupt = false;
  bool own_terminal = false;             // the guest has a terminal of its own
  std::chrono::milliseconds timeout{0};  // 0: none
  // The guest is not in the session of the caller's terminal, so isolate passes on the signals of its keys.
  bool own_session = false;
  bool ends_in_order = false;  // the engine ends by itself within some seconds after the command
};

class Supervisor {
 public:
  // Call hold_signals() first. wait() then handles all signals that arrive from that moment on, so that no
  // signal ends isolate before it has dropped the lease. `terminal` is the caller's, if there is one.
  static Result<Supervisor> make(const SupervisorOptions& options,
                                 std::optional<ControllingTerminal> terminal = ControllingTerminal::open());

  // The guest's end of the control socket and the write end of the report pipe, which only the launcher gets.
  Fd& guest_control() { return guest_control_; }
  Fd& report_writer() { return report_writer_; }

  // The listener gets further commands for the guest once the first command has started. It has to outlive wait().
  void take_commands(FurtherCommands* listener) { listener_ = listener; }

  // A warm guest needs these, in this order, before wait().
  // Waits until isolate-init waits for Kind::begin. Errors: the launcher's report; the guest has ended.
  Result<void> wait_until_ready(ChildProcess launcher);
  // Waits until the descriptor is readable. Returns false if the guest has ended, by itself or because a signal asked
  // this process to end.
  Result<bool> wait_for(int descriptor);
  // Starts the command. `setup` and the streams are for isolate-init. From now on signals come from the caller, which
  // has to outlive wait(), and if the caller ends, the guest does. Errors: isolate-init has ended.
  Result<void> begin(const SupervisorOptions& options, int setup, const std::array<int, 3>& streams,
                     RemoteCaller* caller);

  // Waits until the command and the engine have ended. The launcher is empty for a warm guest. Calls `started` with the
  // command's pid, as the host sees it. Errors: the launcher's report; the engine ended before the command started.
  Result<RunOutcome> wait(ChildProcess launcher, const std::function<void(pid_t)>& started);
  // The same for a further command (isolatectl exec) in a guest that another process isolate supervises. That process
  // has received the guest's end of the control socket. If it refuses the command, it sends the reason over
  // `connection`. Errors: that reason; the guest ended before the command started.
  Result<RunOutcome> wait_for_further(Fd connection);

 private:
  Supervisor() = default;
  using Clock = std::chrono::steady_clock;

  // Events: supervisor.cc
  void take(ChildProcess launcher);
  Result<void> wait_once();
  EventSources event_sources() const;
  void handle_events(const EventSources& sources);
  bool has_more_to_wait_for() const { return control_ || report_reader_ || engine_runs_; }
  bool takes_commands() const { return listener_ != nullptr && has_started_ && control_; }
  void read_report();
  void engine_has_ended();
  // The earliest time at which something has to be done without an event.
  std::optional<Clock::time_point> next_deadline() const;

  // Messages of isolate-init: supervisor_messages.cc
  // Reads one message. Returns false if there is none.
  bool read_message();
  void handle_message(ControlSocket::Attached attached, const protocol::Message& message);
  void command_has_started();
  void start_relay(Fd terminal);
  void stop_with_command();

  // Signals: supervisor_signals.cc
  void handle_signal();
  void handle_signal_of_caller();
  void act_on_signal(int number, int code);
  SignalSituation situation_of(int number, int si_code) const;
  void read_messages_before_start();
  void send_signal(int number, bool to_group = false);
  void keep_for_command(int number);
  void send_kept_signals();
  void end_run_by(int number);

  // The end: supervisor_end.cc
  void end_after_timeout();
  void end_if_init_is_silent();
  void end_engine();
  void kill_guest();
  void leave_guest();
  void hand_terminal_back();
  Result<RunOutcome> conclude(const ExitStatus& engine) const;
  Result<RunOutcome> conclude_without_report(RunOutcome outcome, const ExitStatus& engine) const;

  // The arguments of make(), wait() and take_commands().
  SupervisorOptions options_;
  std::optional<ControllingTerminal> terminal_;
  std::function<void(pid_t)> on_start_;
  FurtherCommands* listener_ = nullptr;
  RemoteCaller* caller_ = nullptr;  // the run that has taken this warm guest
  int awaited_ = -1;
  bool is_awaited_ready_ = false;
  bool is_further_ = false;  // the guest belongs to another isolate, so this one has no engine

  // Where events come from.
  ControlSocket control_;
  Fd report_reader_;
  Fd signals_;
  ChildProcess engine_;  // the launcher, which becomes the engine
  bool engine_runs_ = false;

  // The guest's ends of socket and pipe. wait() closes them.
  Fd guest_control_;
  Fd report_writer_;

  // Facts about the command that isolate-init has reported.
  pid_t command_pid_ = -1;  // -1: not yet
  bool is_ready_ = false;   // isolate-init waits for Kind::begin
  bool has_started_ = false;
  InitWatch watch_;
  JobControl job_control_;
  std::optional<TerminalRelay> relay_;  // copies between the caller's terminal and the guest's own

  // Signals that arrived before the command had started.
  struct {
    int last_sent = 0;       // the last one meant for a command that is starting; the same one again ends the run
    std::uint64_t kept = 0;  // those that the caller blocks, to be sent after the start; bit N-1 is signal N
  } early_signals_;

  // Signals that end the run.
  struct {
    int unanswered = 0;  // the last signal that isolate-init has to answer; the run ends by it if no answer comes
    int killed_by = 0;   // isolate has killed the guest because of this signal; 0: it has not
  } ending_signals_;

  // The times at which isolate ends the command or the engine, if they have not ended by themselves.
  struct {
    std::optional<Clock::time_point> command;  // the timeout; after SIGTERM, the time for SIGKILL
    std::optional<Clock::time_point> engine;   // set once the command has ended
  } deadlines_;

  // The result of wait().
  RunOutcome outcome_;
  std::string report_;  // text from the launcher or the engine
};

}  // namespace isolate
