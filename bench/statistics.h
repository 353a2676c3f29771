// Order statistics of measured times. Means are useless here, because a single compiler run beside the benchmark
// changes them a lot.
#pragma once

#include <vector>

namespace isolate::bench {

// Returns the value below which `fraction` (0 to 1) of the samples lie, interpolated between neighbours. Returns 0 if
// there are no samples.
double quantile(std::vector<double> samples, double fraction);

struct Summary {
  double median = 0;
  double lower_quartile = 0;
  double upper_quartile = 0;
};
Summary summarize(const std::vector<double>& samples);

// A ratio of two medians, and its 95 % interval from a bootstrap.
struct Ratio {
  double value = 0;
  double low = 0;
  double high = 0;
};
// The same samples always give the same interval, because the bootstrap's random numbers start from a fixed seed.
Ratio ratio_of_medians(const std::vector<double>& of, const std::vector<double>& to);

}  // namespace isolate::bench
