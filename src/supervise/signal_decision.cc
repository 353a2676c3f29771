#include "supervise/signal_decision.h"

#include <signal.h>

namespace isolate {
namespace {

// Whether the terminal has sent the signal to the command too. A terminal signals its whole foreground process group,
// but a hang-up only to the leader of its session, if there is one.
bool is_of_terminal(const SignalSituation& situation) {
  if (situation.origin != SignalOrigin::kernel) return false;
  switch (situation.number) {
    case SIGINT:
    case SIGQUIT:
    case SIGTSTP:
    case SIGWINCH:
      return true;
    case SIGHUP:
      return !situation.leads_session;
    default:
      return false;
  }
}

// Whether isolate-init can pass the signal on. It can for a command that is just starting, too, and does so after the
// start. But a user who sends the same signal twice does not want to wait for the start any longer.
bool can_receive(const SignalSituation& situation) {
  if (situation.command == CommandPhase::starting) return !situation.is_repeated;
  return situation.command == CommandPhase::running;
}

SignalAction action_without_command(const SignalSituation& situation) {
  if (situation.number == SIGWINCH || situation.number == SIGCONT) return SignalAction::ignore;
  // A program that is started without isolate would inherit the blocked signal, and find it pending. So keep it for the
  // command.
  if (situation.is_blocked_by_caller) return SignalAction::keep_for_command;
  return situation.number == SIGTSTP ? SignalAction::stop_isolate : SignalAction::end_run;
}

SignalAction action_for(const SignalSituation& situation) {
  // A guest with a terminal or session of its own is not in the foreground of the caller's terminal. isolate
  // is there instead, so it gets the terminal's signals and passes them on.
  const bool is_in_foreground = !situation.has_relay && !situation.has_own_session;
  const bool is_for_group = is_of_terminal(situation) && !is_in_foreground;
  const bool is_ignored = situation.number == SIGINT && situation.ignores_interrupt;
  if (is_ignored && !is_for_group) return SignalAction::ignore;
  if (!can_receive(situation)) return is_ignored ? SignalAction::ignore : action_without_command(situation);
  if (is_of_terminal(situation) && is_in_foreground) return SignalAction::leave_to_terminal;
  // When the relay gives the guest's terminal a new size, the kernel signals the guest's foreground.
  if (situation.number == SIGWINCH && situation.has_relay) return SignalAction::leave_to_terminal;
  return is_for_group ? SignalAction::send_to_group : SignalAction::send_to_command;
}

}  // namespace

SignalOrigin origin_of(int si_code) {
  if (si_code == SI_KERNEL) return SignalOrigin::kernel;
  // Positive codes: a message has arrived at the control socket (F_SETSIG, fcntl(2)).
  if (si_code == SI_TIMER || si_code > 0) return SignalOrigin::wake_up;
  return SignalOrigin::process;
}

SignalDecision decide(const SignalSituation& situation) {
  if (situation.number == SIGCONT && situation.origin == SignalOrigin::wake_up) return {};
  const bool may_change_terminal = situation.number == SIGWINCH || situation.number == SIGCONT;
  return {action_for(situation), situation.has_relay && may_change_terminal};
}

}  // namespace isolate
