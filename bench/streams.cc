// Measures standard streams: how fast data goes through a pipe and a file with isolate and with bare bwrap, all in one
// interleaved run.
#include <fmt/core.h>
#include <unistd.h>

#include "harness.h"
#include "options.h"
#include "report.h"

namespace isolate::bench {
namespace {

constexpr int kMegabytes = 512;  // MiB of data in each run
constexpr double kMostTimesPipe = 1.05;
constexpr double kLeastGigabytes = 1;  // GB per second

struct Row {
  const char* name;
  const char* script;  // % stands for the words that start a guest, SIZE for the number of bytes
};

// Each of these is measured with isolate and with bare bwrap. The files are in memory; otherwise the disk would
// determine the result.
constexpr Row kRows[] = {{"start", "% /bin/true"},
                         {"start, output to a file", "% /bin/true >small"},
                         {"pipe in and out", "head -c SIZE /dev/zero | % cat | cat >/dev/null"},
                         {"file in", "% cat <in >/dev/null"},
                         {"file out", "% head -c SIZE /dev/zero >out"},
                         {"file out, appended", ": >out; % head -c SIZE /dev/zero >>out"}};

std::string replace_all(std::string text, const std::string& mark, const std::string& with) {
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + with.size())) {
    text.replace(at, mark.size(), with);
  }
  return text;
}

Result<void> run(const Options& options) {
  const auto directory = TRY(options.text("memory"));
  const auto runs = TRY(options.count("runs"));
  const auto size = std::to_string(std::size_t{kMegabytes} << 20);
  const auto isolate = TRY(options.text("isolate")) + " -q --store " + TRY(options.text("store")) + " -z " +
                       TRY(options.text("template"));
  const auto bwrap = "bwrap --unshare-all --ro-bind " + TRY(options.text("root")) + " / --proc /proc --dev /dev";
  TRY(run_timed({"sh", "-ec", "cd " + directory + "; head -c " + size + " /dev/zero >in"}));
  std::vector<Case> cases;
  for (const auto& row : kRows) {
    for (const auto& guest : {isolate, bwrap}) {
      const auto script = replace_all(replace_all(row.script, "SIZE", size), "%", guest);
      const auto name = std::string(row.name) + (guest == isolate ? ", isolate" : ", bwrap");
      cases.push_back({name, [=] { return run_timed({"sh", "-ec", "cd " + directory + "; " + script}); }});
    }
  }
  const auto rows = TRY(measure(cases, runs, options.for_google_benchmark()));
  print_title(fmt::format("Streams as {}: {} MiB, {} runs of each, shuffled into one",
                          ::geteuid() == 0 ? "root" : "an ordinary user", kMegabytes, runs));
  print_times(rows, {{"x isolate's start", 0}});
  const double start = quantile(rows[0].wall_ms, 0.5);
  for (std::size_t i = 4; i < rows.size(); ++i) {
    const double seconds = (quantile(rows[i].wall_ms, 0.5) - start) / 1000;
    fmt::print("{}: {:.2f} GB/s\n", rows[i].name, static_cast<double>(std::size_t{kMegabytes} << 20) / 1e9 / seconds);
  }
  fmt::print("output to a file: {:+.2f} ms at start (aim for files: {} GB/s)\n", quantile(rows[2].wall_ms, 0.5) - start,
             kLeastGigabytes);
  print_aim("pipe through isolate / through bare bwrap", ratio_of_medians(rows[4].wall_ms, rows[5].wall_ms),
            kMostTimesPipe);
  return {};
}

}  // namespace
}  // namespace isolate::bench

int main(int argc, char** argv) {
  return isolate::bench::run_main(argc, argv, {"isolate", "store", "template", "root", "memory", "runs"},
                                  isolate::bench::run);
}
