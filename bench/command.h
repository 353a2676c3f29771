// One run of a whole program, timed from before its start to after its end.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate::bench {

struct Sample {
  double wall_seconds = 0;
  double cpu_seconds = 0;   // of the program and of all its descendants, also those that it left behind
  double tail_seconds = 0;  // how much longer something that it left behind went on working; not in the others
};

// Measures between start() and stop().
class Stopwatch {
 public:
  Stopwatch();
  Sample elapsed() const;

 private:
  double wall_;
  double cpu_;
};

// The command with an empty standard input and its output thrown away, until it has ended. What it leaves running
// behind is waited for too, and timed apart. Errors: it does not start, or ends with anything but 0; then with what it
// said.
Result<Sample> run_timed(const std::vector<std::string>& argv);

// The same, and gives what it wrote to standard error.
struct Spoken {
  Sample sample;
  std::string errors;
};
Result<Spoken> run_timed_and_listen(const std::vector<std::string>& argv);

// A pipe; both ends are closed in programs that are started.
struct Pipe {
  Fd read_end;
  Fd write_end;
};
Result<Pipe> make_pipe();

}  // namespace isolate::bench
