// Prints measurements on standard output, as tables with fixed columns.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "harness.h"
#include "statistics.h"

namespace isolate::bench {

// A column with the ratio of each row to the row with the index `base`.
struct Comparison {
  std::string title;
  std::size_t base = 0;
};

void print_title(const std::string& title);
void print_times(const std::vector<Measured>& rows, const std::vector<Comparison>& comparisons);

// Prints one line with the aim, the measured ratio, and whether the aim was reached. If the ratio's interval contains
// the limit, the line says that the result is within the noise.
void print_aim(const std::string& what, const Ratio& measured, double limit);

}  // namespace isolate::bench
