// The arguments of a benchmark program. --NAME=VALUE is for the program, --benchmark_... for Google Benchmark.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace isolate::bench {

class Options {
 public:
  // Errors: an argument does not have one of these forms, or its name is not in `known`.
  static Result<Options> parse(int argc, char** argv, const std::vector<std::string>& known);

  // Errors: the option was not given.
  Result<std::string> text(const std::string& name) const;
  // Returns an empty string if the option was not given.
  std::string text_if_given(const std::string& name) const;
  // Errors: the option was not given, or is not a whole number from 1 on.
  Result<int> count(const std::string& name) const;

  const std::vector<std::string>& for_google_benchmark() const { return for_google_benchmark_; }

 private:
  std::map<std::string, std::string> values_;
  std::vector<std::string> for_google_benchmark_;
};

// Parses the arguments, runs `body`, and returns the program's exit status. An error is printed as one line on standard
// error and gives status 1.
int run_main(int argc, char** argv, const std::vector<std::string>& known, Result<void> (*body)(const Options&));

}  // namespace isolate::bench
