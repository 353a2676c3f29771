// Measures calls that start no new guest, and compares them with bare bwrap and a program that does nothing:
// `isolate --version`, `isolatectl exec`, which runs a command in a guest that is already running, and a run that takes
// a warm guest. There have to be enough of those: bench/run makes them before.
#include <fmt/core.h>
#include <unistd.h>

#include "harness.h"
#include "options.h"
#include "report.h"

namespace isolate::bench {
namespace {

constexpr double kMostTimesEmptyProgram = 1.6;
constexpr double kMostTimesBareBwrapExec = 0.5;
constexpr double kMostTimesBareBwrapWarm = 0.4;
constexpr double kMostTimesTrueWarm = 1.8;

// Indexes of the rows that are compared.
constexpr std::size_t kVersion = 0;
constexpr std::size_t kEmpty = 1;
constexpr std::size_t kExec = 2;
constexpr std::size_t kWarm = 3;
constexpr std::size_t kBareBwrap = 4;
constexpr std::size_t kTrue = 5;

Result<void> run(const Options& options) {
  const auto runs = TRY(options.count("runs"));
  const auto isolate = TRY(options.text("isolate"));
  const auto isolatectl = TRY(options.text("isolatectl"));
  const auto store = TRY(options.text("store"));
  const auto lease = TRY(options.text("lease"));
  const auto empty = TRY(options.text("empty"));
  const auto root = TRY(options.text("root"));
  const std::vector<Case> cases = {
      command_case("isolate --version", {isolate, "--version"}),
      command_case("an empty static program", {empty}),
      command_case("isolatectl exec LEASE /bin/true", {isolatectl, "--store", store, "exec", lease, "/bin/true"}),
      warm_case(isolate, store),
      bare_bwrap_case(root),
      command_case("/bin/true outside", {"/bin/true"}),
  };
  const auto rows = TRY(measure(cases, runs, options.for_google_benchmark()));
  print_title(fmt::format("Programs as {}: {} runs of each, shuffled into one",
                          ::geteuid() == 0 ? "root" : "an ordinary user", runs));
  print_times(rows, {{"x bare bwrap", kBareBwrap}, {"x empty program", kEmpty}});
  print_aim("isolate --version / an empty static program",
            ratio_of_medians(rows[kVersion].wall_ms, rows[kEmpty].wall_ms), kMostTimesEmptyProgram);
  print_aim("isolatectl exec / bare bwrap", ratio_of_medians(rows[kExec].wall_ms, rows[kBareBwrap].wall_ms),
            kMostTimesBareBwrapExec);
  print_aim("a warm guest / bare bwrap", ratio_of_medians(rows[kWarm].wall_ms, rows[kBareBwrap].wall_ms),
            kMostTimesBareBwrapWarm);
  print_aim("a warm guest / /bin/true outside", ratio_of_medians(rows[kWarm].wall_ms, rows[kTrue].wall_ms),
            kMostTimesTrueWarm);
  return {};
}

}  // namespace
}  // namespace isolate::bench

int main(int argc, char** argv) {
  return isolate::bench::run_main(argc, argv, {"isolate", "isolatectl", "empty", "store", "lease", "root", "runs"},
                                  isolate::bench::run);
}
