#include "run/conclusion.h"

#include <signal.h>

#include "base/log.h"

namespace isolate {

Result<int> conclude(const RunOutcome& outcome, Result<int> written, const RunPlan& plan, const GuestGroup& group,
                     const StatusStream& status) {
  TRY_VOID(outcome.check_setup(plan.working_directory));
  if (outcome.exec_error != 0) {
    const auto reason = outcome.start_error(plan.command[0]);
    log::error(reason);
    status.report_failure("command", reason);
    return outcome.exit_status();
  }
  if (!outcome.engine_error.empty()) log::warning(outcome.engine_error);
  const auto ended = outcome.ended.value_or(ExitStatus{true, SIGKILL});
  if (group.is_out_of_memory()) log::warning(group.notice_of_kill(ended));
  status.report_end(ended, outcome.timed_out, group.is_out_of_memory());
  const int exit_status = outcome.exit_status();
  if (!written) return combine(exit_status, fail(std::move(written).error()));
  return exit_status == 0 ? *written : exit_status;
}

Result<int> combine(Result<int> outcome, Result<void> after) {
  if (!after && !outcome) log::warning(after.error().message());
  if (after || !outcome) return outcome;
  if (*outcome == 0) return fail(std::move(after).error());
  log::warning(after.error().message());
  return outcome;
}

}  // namespace isolate
