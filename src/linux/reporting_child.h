// ReportingChild: a child process that runs one function and passes that function's error to its parent.
#pragma once

#include <functional>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "linux/process.h"

namespace isolate {

class ReportingChild {
 public:
  // Runs `body` in a child, which exits with 0, or with 125 after an error. Changes of namespaces and ids that body
  // makes end with the child. A body that executes another program has succeeded.
  static Result<ReportingChild> start(const std::function<Result<void>()>& body);

  ChildProcess& process() { return process_; }
  // Waits until the child has ended or has executed another program, and returns the error of the body, if any.
  Result<void> report() const;
  // Waits until the child has ended. Errors: that of the body; an end other than exit status 0.
  Result<void> finish();

 private:
  ReportingChild(ChildProcess process, Fd reader) : process_(std::move(process)), reader_(std::move(reader)) {}
  ChildProcess process_;
  Fd reader_;
};

// Runs `body` in such a child and returns the descriptors that it opened, at most kMostPassed. They stay open when the
// child has ended. Errors: that of the body.
Result<std::vector<Fd>> descriptors_from_child(const std::function<Result<std::vector<Fd>>()>& body);

}  // namespace isolate
