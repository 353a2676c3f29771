// Measures flatness: neither the size of a template nor the number of existing clones may make a run slower.
#include <fmt/core.h>

#include "harness.h"
#include "options.h"
#include "report.h"

namespace isolate::bench {
namespace {

constexpr double kMostTimesSmall = 1.10;

Result<Case> run_case(const Options& options, const std::string& name, const char* store_option,
                      const char* template_option) {
  const auto isolate = TRY(options.text("isolate"));
  const auto store = TRY(options.text(store_option));
  const auto name_of_template = TRY(options.text(template_option));
  const std::vector<std::string> argv = {isolate, "--store", store, "-e", "bwrap", "-z", name_of_template, "/bin/true"};
  return Case{name, [argv] { return run_timed(argv); }};
}

Result<void> run(const Options& options) {
  const std::string large_name = "large template: " + TRY(options.text("large-size"));
  const std::string crowded_name = "small template, clones kept: " + TRY(options.text("crowded-count"));
  const int runs = TRY(options.count("runs"));
  std::vector<Case> cases;
  cases.push_back(TRY(run_case(options, "small template, clones kept: 1", "store", "small")));
  cases.push_back(TRY(run_case(options, large_name, "store", "large")));
  cases.push_back(TRY(run_case(options, crowded_name, "crowded-store", "small")));
  const auto rows = TRY(measure(cases, runs, options.for_google_benchmark()));
  print_title(fmt::format("Flatness: {} runs of each, shuffled into one", runs));
  print_times(rows, {{"x small", 0}});
  print_aim("large template / small", ratio_of_medians(rows[1].wall_ms, rows[0].wall_ms), kMostTimesSmall);
  print_aim("many clones / one clone", ratio_of_medians(rows[2].wall_ms, rows[0].wall_ms), kMostTimesSmall);
  return {};
}

}  // namespace
}  // namespace isolate::bench

int main(int argc, char** argv) {
  return isolate::bench::run_main(
      argc, argv, {"isolate", "store", "small", "large", "large-size", "crowded-store", "crowded-count", "runs"},
      isolate::bench::run);
}
