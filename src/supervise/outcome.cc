#include "supervise/outcome.h"

#include <fmt/format.h>
#include <signal.h>

#include "base/text.h"
#include "linux/userns_switches.h"

namespace isolate {

Result<void> RunOutcome::check_setup(const std::string& directory) const {
  if (directory_error != 0) return fail(directory_error, "working directory " + text::printable(directory));
  if (setup_error != 0) return fail(setup_error, "limits, terminal or seccomp filter of the command");
  if (user_error != 0) {
    const auto reason = switch_against_user_namespaces();
    return fail(Error(user_error, "--home: user namespace of the command")
                    .advise(fmt::format("{}; change that as root, or run without --home",
                                        reason.empty() ? "the kernel allows none here" : reason)));
  }
  return {};
}

std::string RunOutcome::start_error(const std::string& command) const {
  const auto shown = text::printable(command);
  if (exec_error == ELIBACC) return shown + ": its interpreter is missing in the root";
  if (exec_error == ENOENT) return shown + ": not found in the root";
  if (exec_error == E2BIG) {
    return shown +
           ": its arguments and environment variables are too long for Linux, which allows 128 KiB for each, and for "
           "all together a quarter of the stack limit (ulimit -s) but no more than 6 MiB; pass long data in a file or "
           "through standard input";
  }
  return Error(exec_error, shown).message();
}

int RunOutcome::exit_status() const {
  if (exec_error != 0) return exec_error == ENOENT ? kNotFound : kNotExecutable;
  if (timed_out) return kTimedOut;
  return ended.value_or(ExitStatus{true, SIGKILL}).shell_code();
}

Result<int> RunOutcome::check_output(Result<int> copied) const {
  if (output_error == 0 || !copied) return copied;
  return fail(output_error, "standard output: some output of the command could not be written");
}

}  // namespace isolate
