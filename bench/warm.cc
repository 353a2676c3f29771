// Measures how evenly runs in warm guests start while the keeper makes new ones: bench/warm has started it.
#include <fmt/core.h>

#include "harness.h"
#include "options.h"
#include "report.h"

namespace isolate::bench {
namespace {

constexpr double kMostTimesMedian = 2;

Result<void> run(const Options& options) {
  const auto runs = TRY(options.count("runs"));
  const auto warm = warm_case(TRY(options.text("isolate")), TRY(options.text("store")));
  // In the pause, the keeper replaces the guest that the run before has used.
  const auto rows = TRY(measure({paused(warm)}, runs, options.for_google_benchmark()));
  print_title(
      fmt::format("{} runs in warm guests, {} ms apart, while the keeper makes new ones", runs, kPause.count()));
  print_times(rows, {});
  const double median = quantile(rows[0].wall_ms, 0.5);
  const double slowest = quantile(rows[0].wall_ms, 0.99);
  fmt::print("  99 of 100 within {:.1f} ms: {:.2f} times the median; aim: {:.0f} times at most, {}\n", slowest,
             slowest / median, kMostTimesMedian, slowest <= kMostTimesMedian * median ? "reached" : "MISSED");
  return {};
}

}  // namespace
}  // namespace isolate::bench

int main(int argc, char** argv) {
  return isolate::bench::run_main(argc, argv, {"isolate", "store", "runs"}, isolate::bench::run);
}
