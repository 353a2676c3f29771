// Prints what was measured as tables of fixed columns on standard output.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "harness.h"
#include "statistics.h"

namespace isolate::bench {

// A column of ratios: every row to the row with index `base`.
struct Comparison {
  std::string title;
  std::size_t base = 0;
};

void print_title(const std::string& title);
void print_times(const std::vector<Measured>& rows, const std::vector<Comparison>& comparisons);

// One line that says what was aimed at, what was measured, and whether the aim was reached. The verdict is about the
// measured ratio; where its interval contains the limit, the line says that the run can't tell.
void print_aim(const std::string& what, const Ratio& measured, double limit);

}  // namespace isolate::bench
