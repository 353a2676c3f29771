// Measures several cases in one interleaved run: Google Benchmark shuffles all repetitions of all cases into one
// sequence, so that whatever else the machine does meanwhile hits every case alike. Only ratios of such a run mean
// something.
#pragma once

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

struct Measured {
  std::string name;
  std::vector<double> wall_ms;
  std::vector<double> cpu_ms;
  std::vector<double> tail_ms;
};

// Runs every case a few times to warm the caches, then `repetitions` times for the record. The result is in the order
// of `cases`. Errors: the first failure of a case; nothing is measured then.
Result<std::vector<Measured>> measure(const std::vector<Case>& cases, int repetitions,
                                      const std::vector<std::string>& google_benchmark_arguments);

}  // namespace isolate::bench
