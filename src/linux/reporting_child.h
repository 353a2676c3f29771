// ReportingChild: a child that does one thing, and tells its parent why that failed.
#pragma once

#include <functional>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "linux/process.h"

namespace isolate {

class ReportingChild {
 public:
  // Runs `body` in a child, which ends with 0 or, after an error, with 125. What body does to namespaces and ids ends
  // with the child. A body that becomes another program has succeeded by that.
  static Result<ReportingChild> start(const std::function<Result<void>()>& body);

  ChildProcess& process() { return process_; }
  // The error of the body, or none; waits until the child has ended or has become another program.
  Result<void> report() const;
  // Waits for the end. Errors: that of the body; any end but exit status 0.
  Result<void> finish();

 private:
  ReportingChild(ChildProcess process, Fd reader) : process_(std::move(process)), reader_(std::move(reader)) {}
  ChildProcess process_;
  Fd reader_;
};

// Runs `body` in such a child and gives back the descriptors that it has opened, at most kMostPassed. What they refer
// to outlives the child. Errors: that of the body.
Result<std::vector<Fd>> descriptors_from_child(const std::function<Result<std::vector<Fd>>()>& body);

}  // namespace isolate
