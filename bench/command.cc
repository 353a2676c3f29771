#include "command.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/text.h"
#include "linux/file.h"
#include "linux/process.h"

namespace isolate::bench {
namespace {

double wall_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double children_cpu_now() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Waits for the processes that a run has left behind, so that they do not slow down the next run. They become children
// of this process, because it is a subreaper. Returns how long that took, in seconds.
double wait_for_orphans() {
  const double start = wall_now();
  bool any = false;
  while (::waitpid(-1, nullptr, 0) > 0) any = true;
  return any ? wall_now() - start : 0;
}

Result<Fd> make_memory_file() {
  Fd file(::memfd_create("stderr", MFD_CLOEXEC));
  if (!file) return fail(errno, "memfd_create");
  return file;
}

Result<std::string> contents(const Fd& file) {
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail(errno, "lseek");
  return read_all(file.get());
}

}  // namespace

Stopwatch::Stopwatch() : wall_(wall_now()), cpu_(children_cpu_now()) {}

Sample Stopwatch::elapsed() const { return {wall_now() - wall_, children_cpu_now() - cpu_, 0}; }

Result<SampleAndErrors> run_timed_with_errors(const std::vector<std::string>& argv) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const Fd errors = TRY(make_memory_file());
  const Fd nowhere = TRY(open_file(AT_FDCWD, "/dev/null", O_WRONLY));
  SpawnFds fds;
  fds.out = nowhere.get();
  fds.err = errors.get();

  const Stopwatch stopwatch;
  auto child = TRY(spawn(argv, fds));
  const ExitStatus status = TRY(child.wait());
  Sample sample = stopwatch.elapsed();

  sample.tail_seconds = wait_for_orphans();
  sample.cpu_seconds = stopwatch.elapsed().cpu_seconds;
  std::string printed = TRY(contents(errors));
  if (status.success()) return SampleAndErrors{sample, std::move(printed)};
  return fail(text::join(argv, " ") + ": " + status.describe() + "; it printed: " + text::printable(printed));
}

Result<Sample> run_timed(const std::vector<std::string>& argv) { return TRY(run_timed_with_errors(argv)).sample; }

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno, "pipe2");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

}  // namespace isolate::bench
