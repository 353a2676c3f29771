// Order statistics of measured times. Means are of no use here: one compiler run beside the benchmark ruins them.
#pragma once

#include <vector>

namespace isolate::bench {

// The value below which `fraction` (0 to 1) of the samples lie, interpolated between neighbours. 0 for no samples.
double quantile(std::vector<double> samples, double fraction);

struct Summary {
  double median = 0;
  double lower_quartile = 0;
  double upper_quartile = 0;
};
Summary summarize(const std::vector<double>& samples);

// A ratio of two medians with the 95 % interval that a bootstrap gives for it.
struct Ratio {
  double value = 0;
  double low = 0;
  double high = 0;
};
// The same samples always give the same interval: the bootstrap's random numbers begin at a fixed seed.
Ratio ratio_of_medians(const std::vector<double>& of, const std::vector<double>& to);

}  // namespace isolate::bench
