// How the supervisor handles signals to isolate.
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "linux/held_signals.h"
#include "linux/signal_reset.h"
#include "supervise/supervisor.h"
#include "wire/init_protocol.h"

namespace isolate {

void Supervisor::handle_signal() {
  signalfd_siginfo info{};
  // There may be nothing to read any more: when isolate was stopped after poll(2), the kernel has dropped a SIGCONT.
  if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
  act_on_signal(static_cast<int>(info.ssi_signo), info.ssi_code);
}

// The run that has taken this guest has got a signal. If that run has ended, the guest ends too.
void Supervisor::handle_signal_of_caller() {
  const auto signal = caller_->read();
  if (signal) act_on_signal(signal->number, signal->code);
  if (!caller_->is_gone()) return;
  outcome_.was_told_to_end = true;
  caller_ = nullptr;
  kill_guest();
}

void Supervisor::act_on_signal(int number, int code) {
  outcome_.was_told_to_end |= protocol::asks_for_end(number);
  read_messages_before_start();

  const auto situation = situation_of(number, code);
  const auto decision = decide(situation);
  if (decision.adapts_relay) relay_->follow_host();
  const bool is_early = situation.command == CommandPhase::starting && decision.action != SignalAction::ignore;
  if (is_early) early_signals_.last_sent = number;
  switch (decision.action) {
    case SignalAction::ignore:
    case SignalAction::leave_to_terminal:
      break;
    case SignalAction::send_to_command:
    case SignalAction::send_to_group:
      send_signal(number, decision.action == SignalAction::send_to_group);
      if (protocol::asks_for_end(number)) ending_signals_.unanswered = number;
      break;
    case SignalAction::keep_for_command:
      keep_for_command(number);
      break;
    case SignalAction::stop_isolate:
      if (caller_ != nullptr) {
        caller_->stop();
      } else if (awaited_ < 0) {
        JobControl::stop_until_continued();
      }
      break;
    case SignalAction::end_run:
      end_run_by(number);
      break;
  }
}

SignalSituation Supervisor::situation_of(int number, int si_code) const {
  SignalSituation situation;
  situation.number = number;
  situation.origin = origin_of(si_code);
  if (has_started_) {
    situation.command = CommandPhase::running;
  } else if (command_pid_ >= 0) {
    situation.command = CommandPhase::starting;
  }
  situation.is_repeated = early_signals_.last_sent == number;
  situation.has_relay = relay_.has_value();
  situation.has_own_session = options_.own_session;
  situation.leads_session = caller_ != nullptr ? caller_->leads_session() : ::getsid(0) == ::getpid();
  situation.ignores_interrupt = options_.ignore_interrupt;
  situation.is_blocked_by_caller =
      has_signal(caller_ != nullptr ? caller_->blocked_signals() : signals_of_caller().blocked, number);
  return situation;
}

// The message that the command has started may be in the socket already, and it decides what to do with a signal.
void Supervisor::read_messages_before_start() {
  constexpr int kMost = 64;  // a guest could send messages for ever
  for (int i = 0; i < kMost && !has_started_ && read_message(); ++i) {
  }
}

void Supervisor::send_signal(int number, bool to_group) {
  control_.send({to_group ? protocol::Kind::group_signal : protocol::Kind::signal, number});
  if (protocol::asks_for_end(number)) watch_.expect_answer(Clock::now());
}

void Supervisor::keep_for_command(int number) { early_signals_.kept |= std::uint64_t{1} << (number - 1); }

void Supervisor::send_kept_signals() {
  const auto kept = std::exchange(early_signals_.kept, 0);
  for (const int number : kHeldSignals) {
    if (has_signal(kept, number)) send_signal(number);
  }
}

void Supervisor::end_run_by(int number) {
  ending_signals_.killed_by = number;
  kill_guest();
}

}  // namespace isolate
