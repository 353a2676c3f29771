// Decides how isolate reacts to a signal while it waits for a command. It is a pure function, so that a test can check
// each case in a table.
#pragma once

namespace isolate {

enum class SignalOrigin {
  process,  // a process, with kill(2)
  kernel,   // the kernel, mostly for a terminal: a key, a new size or a hang-up
  wake_up,  // isolate itself, to end its own stop: see JobControl
};
// From `si_code` of siginfo_t, see sigaction(2).
SignalOrigin origin_of(int si_code);

enum class CommandPhase {
  absent,    // its process has not reported itself yet, so nothing could receive a signal
  starting,  // its process is about to execute the command; isolate-init passes signals on after that
  running,   // it was started, and may have ended since
};

struct SignalSituation {
  int number = 0;
  SignalOrigin origin = SignalOrigin::process;
  CommandPhase command = CommandPhase::absent;
  bool is_repeated = false;        // the last signal that was meant for the starting command had the same number
  bool has_relay = false;          // isolate copies between the caller's terminal and the guest's own
  bool has_own_session = false;    // the guest is not in the session of the caller's terminal
  bool leads_session = false;      // isolate is the leader of its session
  bool ignores_interrupt = false;  // the user has asked isolate to ignore SIGINT
  bool is_blocked_by_caller = false;
};

enum class SignalAction {
  ignore,
  leave_to_terminal,  // a terminal sends this signal to the command, which must not get it twice
  send_to_command,
  send_to_group,     // to all processes of the command's process group, as a terminal does
  keep_for_command,  // send it when the command has started
  stop_isolate,
  end_run,
};

struct SignalDecision {
  SignalAction action = SignalAction::ignore;
  // The caller's terminal may have a new size or other modes: the relay has to look.
  bool adapts_relay = false;
};

SignalDecision decide(const SignalSituation& situation);

}  // namespace isolate
