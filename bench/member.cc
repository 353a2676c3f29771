// Measures whole runs of a member on leased clones: compared with bare bwrap, from a small and a large pool, and how
// many runs a second several clients get (sustain()).
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "base/text.h"
#include "command.h"
#include "harness.h"
#include "linux/process.h"
#include "options.h"
#include "report.h"

namespace isolate::bench {
namespace {

constexpr double kMostTimesBareBwrap = 1.6;
constexpr double kMostTimesSmallPool = 1.1;

std::vector<std::string> isolate_argv(const std::string& isolate, const std::string& name) {
  return {isolate, "-q", "-e", "bwrap", "-z", name, "/bin/true"};
}

// Each run, also one of bwrap, starts after a pause, so that the daemon has finished its work for the run before.
// sustain() measures what the machine does without the pause.
Result<void> compare(const Options& options) {
  const auto isolate = TRY(options.text("isolate"));
  const auto root = TRY(options.text("root"));
  const auto small = TRY(options.text("small"));
  const auto large = TRY(options.text("large"));
  const int runs = TRY(options.count("runs"));
  const std::vector<Case> cases = {
      paused(command_case("isolate through the daemon, small pool", isolate_argv(isolate, small))),
      paused(command_case("isolate through the daemon, large pool", isolate_argv(isolate, large))),
      paused(bare_bwrap_case(root))};
  print_title(fmt::format("A member's run of /bin/true: {} of each, shuffled into one", runs));
  const auto rows = TRY(measure(cases, runs, options.for_google_benchmark()));
  print_times(rows, {{"x bare bwrap", 2}});
  print_aim("through the daemon / bare bwrap", ratio_of_medians(rows[0].wall_ms, rows[2].wall_ms), kMostTimesBareBwrap);
  print_aim("large pool / small pool", ratio_of_medians(rows[1].wall_ms, rows[0].wall_ms), kMostTimesSmallPool);
  return {};
}

// Runs the command again and again until the time is over. Returns the number of runs, or -1 after a failure.
int run_until(const std::vector<std::string>& argv, std::chrono::steady_clock::time_point end) {
  int count = 0;
  while (std::chrono::steady_clock::now() < end) {
    auto child = spawn(argv, {});
    if (!child) return -1;
    const auto status = child->wait();
    if (!status || !status->success()) return -1;
    ++count;
  }
  return count;
}

Result<void> sustain(const Options& options) {
  const auto argv = isolate_argv(TRY(options.text("isolate")), TRY(options.text("small")));
  const int seconds = TRY(options.count("seconds"));
  const int clients = TRY(options.count("clients"));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  std::vector<ChildProcess> processes;
  auto results = TRY(make_pipe());
  for (int i = 0; i < clients; ++i) {
    processes.push_back(TRY(fork_child(0, [&] {
      const int count = run_until(argv, end);
      return ::write(results.write_end.get(), &count, sizeof count) == sizeof count ? 0 : 1;
    })));
  }
  int sum = 0;
  for (auto& process : processes) {
    int count = -1;
    if (::read(results.read_end.get(), &count, sizeof count) != sizeof count || count < 0) {
      return fail("a run of " + text::join(argv, " ") + " failed");
    }
    sum += count;
    TRY(process.wait());
  }
  print_title(fmt::format("{} clients for {} s: {} runs, {:.1f} runs a second", clients, seconds, sum,
                          static_cast<double>(sum) / seconds));
  return {};
}

Result<void> run(const Options& options) {
  return options.text_if_given("seconds").empty() ? compare(options) : sustain(options);
}

}  // namespace
}  // namespace isolate::bench

int main(int argc, char** argv) {
  return isolate::bench::run_main(argc, argv, {"isolate", "root", "small", "large", "runs", "seconds", "clients"},
                                  isolate::bench::run);
}
