// Measures several cases in one interleaved run. Google Benchmark shuffles the repetitions of all cases into one
// sequence, so that other work on the machine slows down all cases alike. Only the ratios of times from the same run
// are meaningful.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "command.h"

namespace isolate::bench {

struct Case {
  std::string name;
  std::function<Result<Sample>()> run_once;
};

// Runs a command.
Case command_case(std::string name, std::vector<std::string> argv);
// The same case, with a pause before each run that is not measured. In it, other processes finish their work for the
// run before.
constexpr auto kPause = std::chrono::milliseconds(50);
Case paused(Case one);
// Runs /bin/true in the root, read-only, with nothing but bubblewrap.
Case bare_bwrap_case(const std::string& root);

// Runs /bin/true in a warm guest of the template "plain", which has to be there.
Case warm_case(const std::string& isolate, const std::string& store);

struct Measured {
  std::string name;
  std::vector<double> wall_ms;
  std::vector<double> cpu_ms;
  std::vector<double> tail_ms;
};

// Runs each case a few times to warm the caches, and then `repetitions` times to measure it. The results are in the
// order of `cases`. Errors: the first failure of a case, which ends the whole run.
Result<std::vector<Measured>> measure(const std::vector<Case>& cases, int repetitions,
                                      const std::vector<std::string>& google_benchmark_arguments);

}  // namespace isolate::bench
