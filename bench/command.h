// Runs a program once, and measures the time from before its start to after its end.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate::bench {

struct Sample {
  double wall_seconds = 0;
  double cpu_seconds = 0;   // CPU time of the program and all its descendants, including those that it left behind
  double tail_seconds = 0;  // how much longer the processes that it left behind ran; not part of wall_seconds
};

// Measures the time since its construction.
class Stopwatch {
 public:
  Stopwatch();
  // The CPU time is that of the children that have ended and been waited for. tail_seconds is 0.
  Sample elapsed() const;

 private:
  double wall_;
  double cpu_;
};

// Runs a command with an empty standard input and its output thrown away, and waits for its end. Then it waits for the
// processes that the command has left behind, and times them separately. Errors: the command does not start, or ends
// with a status other than 0; the message contains what it wrote to standard error.
Result<Sample> run_timed(const std::vector<std::string>& argv);

// The same, and also returns what the command wrote to standard error.
struct SampleAndErrors {
  Sample sample;
  std::string errors;
};
Result<SampleAndErrors> run_timed_with_errors(const std::vector<std::string>& argv);

// A pipe. Both ends are close-on-exec.
struct Pipe {
  Fd read_end;
  Fd write_end;
};
Result<Pipe> make_pipe();

}  // namespace isolate::bench
