// Measures how long each step of a run takes, from the output of `isolate --timings`.
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "command.h"
#include "options.h"
#include "report.h"

namespace isolate::bench {
namespace {

constexpr std::string_view kPrefix = "timing: ";

struct Step {
  std::string name;
  double microseconds = 0;
};

// Parses lines of the form "timing: STEP MICROSECONDS" and ignores all others. Errors: a malformed line that begins
// with "timing: "; no such line.
Result<std::vector<Step>> parse_steps(const std::string& errors) {
  std::vector<Step> steps;
  for (const std::string& line : text::split(errors, '\n')) {
    if (line.rfind(kPrefix, 0) != 0) continue;
    const std::size_t space = line.rfind(' ');
    if (space < kPrefix.size()) return fail("malformed line of --timings: " + line);
    const auto microseconds = TRY(text::number(line.substr(space + 1), line, 0, 1000000000));
    steps.push_back({line.substr(kPrefix.size(), space - kPrefix.size()), static_cast<double>(microseconds)});
  }
  if (steps.empty()) return fail("--timings printed no line that begins with \"timing: \"");
  return steps;
}

struct StepSamples {
  std::string name;
  std::vector<double> microseconds;
};

// Adds the steps of a run. If a run reports a step more than once, its times are added up.
void add_run(const std::vector<Step>& steps, std::vector<StepSamples>* all) {
  std::map<std::string, double> sums;
  for (const Step& step : steps) sums[step.name] += step.microseconds;
  for (const Step& step : steps) {
    const auto sum = sums.find(step.name);
    if (sum == sums.end()) continue;
    auto known = std::find_if(all->begin(), all->end(), [&](const StepSamples& s) { return s.name == step.name; });
    if (known == all->end()) known = all->insert(all->end(), StepSamples{step.name, {}});
    known->microseconds.push_back(sum->second);
    sums.erase(sum);
  }
}

void print_steps(const std::vector<StepSamples>& steps, const std::vector<double>& whole) {
  const double whole_median = quantile(whole, 0.5);
  fmt::print("  {:<36}  {:>9}  {:>16}  {:>10}\n", "", "median us", "quartiles", "% of whole");
  for (const StepSamples& step : steps) {
    const Summary summary = summarize(step.microseconds);
    fmt::print("  {:<36}  {:>9.0f}  {:>6.0f} .. {:>6.0f}  {:>10.1f}\n", step.name, summary.median,
               summary.lower_quartile, summary.upper_quartile, 100 * summary.median / whole_median);
  }
  const Summary summary = summarize(whole);
  fmt::print("  {:<36}  {:>9.0f}  {:>6.0f} .. {:>6.0f}  {:>10}\n", "whole, seen from outside", summary.median,
             summary.lower_quartile, summary.upper_quartile, 100);
}

Result<void> measure_engine(const Options& options, const std::string& engine) {
  const int runs = TRY(options.count("runs"));
  const auto isolate = TRY(options.text("isolate"));
  const auto store = TRY(options.text("store"));
  const auto name_of_template = TRY(options.text("template"));
  const std::vector<std::string> argv = {isolate, "--timings", "--store",        store,      "-e",
                                         engine,  "-z",        name_of_template, "/bin/true"};
  std::vector<StepSamples> steps;
  std::vector<double> whole;
  for (int i = 0; i < runs; ++i) {
    const SampleAndErrors one_run = TRY(run_timed_with_errors(argv));
    add_run(TRY(parse_steps(one_run.errors)), &steps);
    whole.push_back(one_run.sample.wall_seconds * 1e6);
  }
  print_title(fmt::format("Steps of a run with {}, as {}: {} runs", engine, TRY(options.text("who")), runs));
  print_steps(steps, whole);
  return {};
}

Result<void> run(const Options& options) {
  for (const auto* engine : {"bwrap", "native"}) TRY_VOID(measure_engine(options, engine));
  return {};
}

}  // namespace
}  // namespace isolate::bench

int main(int argc, char** argv) {
  return isolate::bench::run_main(argc, argv, {"isolate", "store", "template", "who", "runs"}, isolate::bench::run);
}
