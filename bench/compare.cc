// Compares isolate with other programs that run a command in a root: /bin/true in the same Debian root, all in one
// interleaved run. bench/compare says which of them work on this machine.
#include <fmt/core.h>

#include <fstream>

#include "base/text.h"
#include "chart.h"
#include "harness.h"
#include "options.h"
#include "report.h"

namespace isolate::bench {
namespace {

// Reads lines of fields separated by tabs: a name, and the words of a command.
Result<std::vector<Case>> read_cases(const std::string& path) {
  std::ifstream file(path);
  std::vector<Case> cases;
  for (std::string line; std::getline(file, line);) {
    auto words = text::split(line, '\t');
    if (words.size() < 2) return fail(path + ": a line without a command");
    auto name = std::move(words.front());
    words.erase(words.begin());
    cases.push_back(command_case(std::move(name), std::move(words)));
  }
  if (cases.empty()) return fail(path + ": no cases");
  return cases;
}

Result<void> run(const Options& options) {
  const auto runs = TRY(options.count("runs"));
  const auto cases = TRY(read_cases(TRY(options.text("cases"))));
  const auto rows = TRY(measure(cases, runs, options.for_google_benchmark()));
  print_title(fmt::format("/bin/true as root: {} runs of each, shuffled into one", runs));
  print_times(rows, {{"x " + rows[0].name, 0}});
  const auto chart = options.text_if_given("chart");
  if (chart.empty()) return {};
  return draw_chart(chart, "/bin/true in a Debian root: milliseconds from start to end, median and quartiles", rows);
}

}  // namespace
}  // namespace isolate::bench

int main(int argc, char** argv) {
  return isolate::bench::run_main(argc, argv, {"cases", "runs", "chart"}, isolate::bench::run);
}
