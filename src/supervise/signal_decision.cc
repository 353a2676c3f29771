#include "supervise/signal_decision.h"

#include <signal.h>

namespace isolate {
namespace {

// The terminal signals its whole foreground process group. Only for a hang-up it signals the leader of the session
// alone, if there is one.
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

// A command that is starting gets signals through isolate-init, once it has started. Whoever sends the same signal
// twice does not want to wait for that any longer.
bool can_receive(const SignalSituation& situation) {
  if (situation.command == CommandPhase::starting) return !situation.is_repeated;
  return situation.command == CommandPhase::running;
}

SignalAction action_without_command(const SignalSituation& situation) {
  if (situation.number == SIGWINCH || situation.number == SIGCONT) return SignalAction::ignore;
  // A program that is started directly would have this signal pending from the start.
  if (situation.is_blocked_by_caller) return SignalAction::keep_for_command;
  return situation.number == SIGTSTP ? SignalAction::stop_isolate : SignalAction::end_run;
}

SignalAction action_for(const SignalSituation& situation) {
  // A guest with a terminal or session of its own is not in the foreground of the caller's terminal. Isolate gets the
  // signal instead of all the guest's processes that would be there.
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
