#include "harness.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>

namespace isolate::bench {
namespace {

constexpr int kWarmUpRuns = 5;

// Remembers the first failure. After it no more cases run.
class FirstError {
 public:
  void keep(const std::string& name, Error error) {
    if (!error_) error_ = std::move(error).within(name);
  }
  bool any() const { return error_.has_value(); }
  Error take() { return *std::move(error_); }

 private:
  std::optional<Error> error_;
};

// google-benchmark 1.8 has replaced error_occurred by skipped.
template <typename Run>
bool has_failed(const Run& run) {
  if constexpr (requires { run.error_occurred; }) {
    return run.error_occurred;
  } else {
    return static_cast<int>(run.skipped) != 0;
  }
}

class Collector : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || has_failed(run)) continue;
      Measured& measured = find_or_add(run.run_name.function_name);
      measured.wall_ms.push_back(run.GetAdjustedRealTime());
      measured.cpu_ms.push_back(run.counters.at("cpu_ms"));
      measured.tail_ms.push_back(run.counters.at("tail_ms"));
    }
  }
  const Measured* find(const std::string& name) const {
    const auto found = std::find_if(all_.begin(), all_.end(), [&](const Measured& m) { return m.name == name; });
    return found == all_.end() ? nullptr : &*found;
  }

 private:
  Measured& find_or_add(const std::string& name) {
    if (const Measured* known = find(name)) return const_cast<Measured&>(*known);
    return all_.emplace_back(Measured{name, {}, {}, {}});
  }
  std::vector<Measured> all_;
};

void run_repetition(const Case& one, FirstError* error, benchmark::State& state) {
  while (state.KeepRunning()) {
    if (error->any()) return state.SkipWithError("not run: a case has failed");
    auto sample = one.run_once();
    if (!sample) {
      error->keep(one.name, std::move(sample).error());
      return state.SkipWithError("failed");
    }
    state.SetIterationTime(sample->wall_seconds);
    state.counters["cpu_ms"] = sample->cpu_seconds * 1e3;
    state.counters["tail_ms"] = sample->tail_seconds * 1e3;
  }
}

void initialize_google_benchmark(const std::vector<std::string>& arguments) {
  std::vector<std::string> all = {"benchmark", "--benchmark_enable_random_interleaving=true"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (auto& argument : all) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
}

// This is a fixture because the static analyzer reports the benchmark that RegisterBenchmark() makes as leaked.
class CaseBenchmark : public benchmark::Fixture {
 public:
  CaseBenchmark(const Case& one, FirstError* error) : case_(one), error_(error) { SetName(one.name.c_str()); }

 protected:
  void BenchmarkCase(benchmark::State& state) override { run_repetition(case_, error_, state); }

 private:
  const Case& case_;
  FirstError* error_;
};

void register_case(const Case& one, int repetitions, FirstError* error) {
  benchmark::internal::RegisterBenchmarkInternal(std::make_unique<CaseBenchmark>(one, error).release())
      ->Iterations(1)
      ->Repetitions(repetitions)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

Result<void> warm_up(const std::vector<Case>& cases) {
  for (int i = 0; i < kWarmUpRuns; ++i) {
    for (const Case& one : cases) {
      auto sample = one.run_once();
      if (!sample) return fail(std::move(sample).error().within(one.name));
    }
  }
  return {};
}

}  // namespace

Case command_case(std::string name, std::vector<std::string> argv) {
  return {std::move(name), [argv = std::move(argv)] { return run_timed(argv); }};
}

Case paused(Case one) {
  return {std::move(one.name), [run_once = std::move(one.run_once)] {
            std::this_thread::sleep_for(kPause);
            return run_once();
          }};
}

Case bare_bwrap_case(const std::string& root) {
  return command_case("bare bwrap", {"bwrap", "--unshare-all", "--ro-bind", root, "/", "--proc", "/proc", "--dev",
                                     "/dev", "--tmpfs", "/tmp", "/bin/true"});
}

Case warm_case(const std::string& isolate, const std::string& store) {
  return command_case("isolate /bin/true in a warm guest",
                      {isolate, "--store", store, "-e", "native", "-z", "plain", "--warm=require", "/bin/true"});
}

Result<std::vector<Measured>> measure(const std::vector<Case>& cases, int repetitions,
                                      const std::vector<std::string>& google_benchmark_arguments) {
  TRY_VOID(warm_up(cases));
  FirstError error;
  Collector collector;
  initialize_google_benchmark(google_benchmark_arguments);
  for (const Case& one : cases) register_case(one, repetitions, &error);
  benchmark::RunSpecifiedBenchmarks(&collector);
  benchmark::Shutdown();
  benchmark::ClearRegisteredBenchmarks();  // so that the next call of measure() runs only its own cases
  if (error.any()) return fail(error.take());

  std::vector<Measured> in_order;
  for (const Case& one : cases) {
    const Measured* measured = collector.find(one.name);
    if (measured == nullptr) return fail(one.name + ": was not measured");
    in_order.push_back(*measured);
  }
  return in_order;
}

}  // namespace isolate::bench
