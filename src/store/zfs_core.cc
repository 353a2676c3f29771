#include "store/zfs_core.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>

#include "base/text.h"
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

Result<std::string> run_core(const std::vector<std::string>& arguments) {
  if (is_missing()) return fail(ENOSYS, "libzfs_core");
  const auto program = find_own_program("isolate-zfs");
  auto output = program ? execute(*program, arguments) : fail(program.error());
  if (!program || (!output && output.error().code() != 0)) {
    is_missing() = true;  // isolate-zfs can't be started
    return fail(ENOSYS, "isolate-zfs");
  }
  if (!output) return fail(std::move(output).error());
  if (output->status.signalled && is_fault(output->status.value)) {
    is_missing() = true;
    return fail(ENOSYS, "isolate-zfs");
  }
  if (output->status.signalled) return fail(was_ended("isolate-zfs", arguments, output->status.value));
  if (output->status.success()) return std::move(output->out);
  is_missing() = output->status.value == kNoLibrary;
  return fail(ENOSYS, "libzfs_core: " + text::printable(output->err));
}

Result<std::vector<int>> codes_of(const std::vector<std::string>& arguments, std::size_t datasets) {
  const auto output = TRY(run_core(arguments));
  std::vector<int> codes;
  for (const auto& line : text::split(output, '\n')) {
    if (!line.empty()) codes.push_back(static_cast<int>(TRY(text::number(line, "isolate-zfs", 0, INT_MAX))));
  }
  if (codes.size() != datasets) return fail("isolate-zfs " + arguments[0] + " did not answer for every dataset");
  return codes;
}

}  // namespace

bool may_be_used() { return !is_missing(); }

Result<std::vector<int>> clone(const std::string& mounts, const std::string& snapshot,
                               const std::vector<std::string>& datasets) {
  std::vector<std::string> arguments = {"clone", mounts, snapshot};
  arguments.insert(arguments.end(), datasets.begin(), datasets.end());
  return codes_of(arguments, datasets.size());
}

Result<std::vector<int>> destroy(const std::string& template_dataset, const std::vector<std::string>& datasets) {
  std::vector<std::string> arguments = {"destroy", template_dataset};
  arguments.insert(arguments.end(), datasets.begin(), datasets.end());
  return codes_of(arguments, datasets.size());
}

Result<std::vector<int>> destroy_busy(const std::vector<std::string>& datasets) {
  std::vector<std::string> arguments = {"destroy-busy"};
  arguments.insert(arguments.end(), datasets.begin(), datasets.end());
  return codes_of(arguments, datasets.size());
}

}  // namespace isolate::zfs::core
