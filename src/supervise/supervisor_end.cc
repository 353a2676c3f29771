// How the supervisor ends a run, and how it decides the outcome.
#include <signal.h>

#include <utility>

#include "supervise/supervisor.h"

namespace isolate {

void Supervisor::end_after_timeout() {
  constexpr std::chrono::seconds kGrace{5};
  if (!deadlines_.command || outcome_.ended || Clock::now() < *deadlines_.command) return;
  const bool was_asked = std::exchange(outcome_.timed_out, true);
  if (was_asked || !has_started_) {
    kill_guest();
    deadlines_.command.reset();
    return;
  }
  send_signal(SIGTERM);
  send_signal(SIGCONT);  // a stopped command would not notice the first signal
  deadlines_.command = Clock::now() + kGrace;
}

// If something in the guest keeps isolate-init from its work, nobody reports the command's end. So kill the guest.
void Supervisor::end_if_init_is_silent() {
  if (outcome_.ended || !watch_.give_up(Clock::now())) return;
  if (watch_.waits_for_answer()) ending_signals_.killed_by = ending_signals_.unanswered;
  kill_guest();
}

// The command has ended. An engine that ends in order gets some seconds for it.
void Supervisor::end_engine() {
  constexpr std::chrono::seconds kPatience{5};
  const auto now = Clock::now();
  if (!options_.ends_in_order || (deadlines_.engine && now >= *deadlines_.engine)) engine_.signal(SIGKILL);
  if (!deadlines_.engine) deadlines_.engine = now + kPatience;
}

void Supervisor::kill_guest() {
  engine_.signal(SIGKILL);
  if (is_further_) leave_guest();
}

// Ends the wait for a further command. isolate-init sees that the socket is closed, and ends the command.
void Supervisor::leave_guest() {
  control_.close();
  report_reader_.reset();
}

// A command that ended by itself with a status of its own may have changed the terminal's modes on purpose (stty), so
// they stay.
void Supervisor::hand_terminal_back() {
  constexpr int kFirstSignalCode = 128;
  if (relay_) outcome_.output_error = relay_->finish();
  const bool was_broken_off = !outcome_.ended || outcome_.ended->shell_code() >= kFirstSignalCode;
  if (terminal_ && has_started_ && was_broken_off) terminal_->restore();
}

Result<RunOutcome> Supervisor::conclude(const ExitStatus& engine) const {
  auto outcome = outcome_;
  const bool could_not_start =
      outcome.exec_error != 0 || outcome.directory_error != 0 || outcome.setup_error != 0 || outcome.user_error != 0;
  if (could_not_start || outcome.ended || outcome.timed_out) return outcome;
  // The report is the launcher's error, or what the engine has printed.
  const auto report = report_.substr(0, report_.find_last_not_of('\n') + 1);
  if (!report.empty() && !has_started_) return fail(Error::from_packed(report));
  outcome.engine_error = report;
  return conclude_without_report(std::move(outcome), engine);
}

// isolate-init has not reported how the command ended.
Result<RunOutcome> Supervisor::conclude_without_report(RunOutcome outcome, const ExitStatus& engine) const {
  const int signal = ending_signals_.killed_by;
  if (watch_.has_given_up()) {
    outcome.engine_error = "isolate-init does not answer: something in the guest has stopped it; the guest was ended";
    // If isolate has killed the guest because of a signal, the command's own end is only a result of that.
    if (const auto end = watch_.end_of_command(); end && signal == 0) outcome.ended = end;
    if (outcome.ended) return outcome;
  }
  if (signal != 0 || has_started_) {
    outcome.ended = ExitStatus{true, signal != 0 ? signal : SIGKILL};
    return outcome;
  }
  if (is_further_) return fail("the guest has ended, or does not report what became of the command");
  return fail("the engine ended with " + engine.describe() + " before the command started");
}

}  // namespace isolate
