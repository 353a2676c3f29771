#include "report.h"

#include <fmt/core.h>

#include <algorithm>

namespace isolate::bench {
namespace {

constexpr double kLeastTailShown = 0.5;  // milliseconds

std::string ratio_cell(const Measured& row, const Measured& base) {
  if (&row == &base) return "1";
  const Ratio ratio = ratio_of_medians(row.wall_ms, base.wall_ms);
  return fmt::format("{:.2f} ({:.2f}..{:.2f})", ratio.value, ratio.low, ratio.high);
}

int name_width(const std::vector<Measured>& rows) {
  std::size_t width = 0;
  for (const Measured& row : rows) width = std::max(width, row.name.size());
  return static_cast<int>(width);
}

void print_tails(const std::vector<Measured>& rows) {
  for (const Measured& row : rows) {
    const double tail = quantile(row.tail_ms, 0.5);
    if (tail < kLeastTailShown) continue;
    fmt::print("  {}: left processes behind that ran for another {:.2f} ms (median), not counted above\n", row.name,
               tail);
  }
}

const char* verdict(const Ratio& measured, double limit) {
  if (measured.high <= limit) return "reached";
  if (measured.low > limit) return "MISSED";
  return measured.value <= limit ? "reached, but within the noise of the limit"
                                 : "MISSED, but within the noise of the limit";
}

}  // namespace

void print_title(const std::string& title) { fmt::print("\n{}\n", title); }

void print_times(const std::vector<Measured>& rows, const std::vector<Comparison>& comparisons) {
  const int width = name_width(rows);
  fmt::print("  {:<{}}  {:>9}  {:>16}  {:>8}", "", width, "median ms", "quartiles", "cpu ms");
  for (const Comparison& comparison : comparisons) fmt::print("  {:>20}", comparison.title);
  fmt::print("\n");
  for (const Measured& row : rows) {
    const Summary wall = summarize(row.wall_ms);
    fmt::print("  {:<{}}  {:>9.2f}  {:>6.2f} .. {:>6.2f}  {:>8.2f}", row.name, width, wall.median, wall.lower_quartile,
               wall.upper_quartile, quantile(row.cpu_ms, 0.5));
    for (const Comparison& comparison : comparisons) fmt::print("  {:>20}", ratio_cell(row, rows[comparison.base]));
    fmt::print("\n");
  }
  print_tails(rows);
}

void print_aim(const std::string& what, const Ratio& measured, double limit) {
  fmt::print("  aim: {} at most {:.2f}: measured {:.2f} ({:.2f}..{:.2f}), {}\n", what, limit, measured.value,
             measured.low, measured.high, verdict(measured, limit));
}

}  // namespace isolate::bench
