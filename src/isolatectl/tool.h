// Runs the programs that make and unpack archives. They run as children, which end when isolatectl is interrupted.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "isolatectl/progress.h"
#include "linux/reporting_child.h"

namespace isolate {

// Whether a directory of PATH has the program.
bool is_installed(const std::string& program);
// Errors: the program is not installed; the message says how to install it.
Result<void> require_program(const std::string& program);

// Complaint: picks from a tool's messages the one that explains why it failed.
class Complaint {
 public:
  void add(const std::string& line);
  // The first error, or, if no message is known to be an error, the last message. Empty if there were no messages.
  const std::string& cause() const { return error_.empty() ? last_ : error_; }
  // For a tool that succeeded: its first warning, and the number of its warnings.
  const std::string& first_warning() const { return warning_; }
  std::size_t warnings() const { return warnings_; }

 private:
  std::string last_;
  std::string error_;
  std::string warning_;
  std::size_t warnings_ = 0;
};

// Runs a tool with `in` as its standard input (-1: none) and `out` as its standard output (-1: the caller's own), and
// logs its warnings. Errors: the tool is not installed; the message that explains why it failed; a signal asked for an
// end.
Result<void> run_tool(const std::string& name, const std::vector<std::string>& command, int in, int out,
                      Progress* progress);

// Starts `work` in a child that is root in `user_namespace`. With -1 the child stays as the caller is.
Result<ReportingChild> start_as_owner(int user_namespace, const std::function<Result<void>()>& work);
// Waits for the child and returns its error. When a signal asks for an end, the child is ended, and it ends its tool.
Result<void> finish(ReportingChild* child);

}  // namespace isolate
