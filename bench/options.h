// The arguments of a benchmark program: --NAME=VALUE for itself, --benchmark_... for Google Benchmark.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace isolate::bench {

class Options {
 public:
  // Errors: an argument of another form, or a name that is not in `known`.
  static Result<Options> parse(int argc, char** argv, const std::vector<std::string>& known);

  // Errors: not given.
  Result<std::string> text(const std::string& name) const;
  // Empty: not given.
  std::string text_if_given(const std::string& name) const;
  // Errors: not given, no number, or less than 1.
  Result<int> count(const std::string& name) const;

  const std::vector<std::string>& for_google_benchmark() const { return for_google_benchmark_; }

 private:
  std::map<std::string, std::string> values_;
  std::vector<std::string> for_google_benchmark_;
};

// Runs `body` on the parsed options. An error becomes one line on stderr and status 1.
int run_main(int argc, char** argv, const std::vector<std::string>& known, Result<void> (*body)(const Options&));

}  // namespace isolate::bench
