#include "store/zfs_core.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>

#include "base/text.h"
#include "base/trace.h"
#include "linux/own_program.h"
#include "store/zfs_command.h"
#include "store/zfs_mount.h"

namespace isolate::zfs::core {
namespace {

bool& is_missing() {
  static bool value = !kernel_has_zfs();
  return value;
}

// The library has another interface than this program expects, or a filter of system calls forbids one that it needs.
bool is_fault(int signal) {
  return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGABRT || signal == SIGSYS;
}

// Says with -x why isolate-zfs can't be used, and returns the error with which the caller falls back to the zfs
// program. That one does the same and only takes longer, so nobody has to be warned. `from_now_on` leaves it all later
// work, too.
Result<std::string> leave_to_zfs(const std::string& reason, bool from_now_on) {
  trace::line("isolate-zfs can't be used: " + reason);
  is_missing() = from_now_on;
  return fail(ENOSYS, "isolate-zfs: " + reason);
}

Result<std::string> run_core(const std::vector<std::string>& arguments) {
  if (is_missing()) return fail(ENOSYS, "libzfs_core");
  const auto program = find_own_program("isolate-zfs");
  if (!program) return leave_to_zfs(program.error().message(), true);
  auto output = execute(*program, arguments);
  if (!output && output.error().code() != 0)
    return leave_to_zfs(output.error().message(), true);  // it can't be started
  if (!output) return fail(std::move(output).error());
  const auto& status = output->status;
  if (status.success()) return std::move(output->out);
  if (status.signalled && !is_fault(status.value)) return fail(was_ended("isolate-zfs", arguments, status.value));
  if (status.signalled) return leave_to_zfs(status.describe(), true);
  return leave_to_zfs(text::printable(output->err), status.value == kNoLibrary);
}

Result<std::vector<int>> codes_of(std::vector<std::string> arguments, const std::vector<std::string>& datasets) {
  arguments.insert(arguments.end(), datasets.begin(), datasets.end());
  const auto output = TRY(run_core(arguments));
  std::vector<int> codes;
  for (const auto& line : text::split(output, '\n')) {
    if (!line.empty()) codes.push_back(static_cast<int>(TRY(text::number(line, "isolate-zfs", 0, INT_MAX))));
  }
  if (codes.size() != datasets.size()) return fail("isolate-zfs " + arguments[0] + " did not answer for every dataset");
  return codes;
}

}  // namespace

bool may_be_used() { return !is_missing(); }

Result<std::vector<int>> clone(const std::string& mounts, const std::string& snapshot,
                               const std::vector<std::string>& datasets) {
  return codes_of({"clone", mounts, snapshot}, datasets);
}

Result<std::vector<int>> destroy(const std::string& template_dataset, const std::vector<std::string>& datasets) {
  return codes_of({"destroy", template_dataset}, datasets);
}

Result<std::vector<int>> destroy_busy(const std::vector<std::string>& datasets) {
  return codes_of({"destroy-busy"}, datasets);
}

}  // namespace isolate::zfs::core
