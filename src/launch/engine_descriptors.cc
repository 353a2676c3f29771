#include "launch/engine_descriptors.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "base/trace.h"
#include "wire/init_protocol.h"

namespace isolate {

Result<void> arrange_descriptors(const LauncherFds& fds, KeptDescriptors* kept) {
  // First copy all of them to high numbers, so that none overwrites another that has not been copied yet.
  constexpr int kHigh = protocol::kLastFd + 1;
  struct Place {
    int descriptor;  // -1: none
    int number;
  };
  std::array<Place, 10> places = {{{fds.init_program, protocol::kProgramFd},
                                   {fds.control, protocol::kControlFd},
                                   {fds.streams.numbers[STDIN_FILENO], STDIN_FILENO},
                                   {fds.streams.numbers[STDOUT_FILENO], STDOUT_FILENO},
                                   {fds.streams.numbers[STDERR_FILENO], protocol::kErrorFd},
                                   {fds.setup, protocol::kSetupFd},
                                   {fds.boot_setup, protocol::kBootSetupFd},
                                   {fds.bridge, protocol::kBridgeFd},
                                   {fds.log, protocol::kLogFd},
                                   {fds.report, STDERR_FILENO}}};
  for (auto& place : places) {
    if (place.descriptor < 0) continue;
    place.descriptor =
        static_cast<int>(TRY(trace::check(::fcntl(place.descriptor, F_DUPFD_CLOEXEC, kHigh), "dup", "descriptor")));
    if (place.number == STDERR_FILENO) kept->report = place.descriptor;
  }
  if (fds.engine_program >= 0) {
    kept->engine_program =
        static_cast<int>(TRY(trace::check(::fcntl(fds.engine_program, F_DUPFD_CLOEXEC, kHigh), "dup", "engine")));
  }
  TRY(trace::check(::syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC), "close_range", "from 3 on, at execve"));
  for (const auto& place : places) {
    if (place.descriptor >= 0 && ::dup2(place.descriptor, place.number) < 0) return fail(errno, "dup2");
  }
  return {};
}

}  // namespace isolate
