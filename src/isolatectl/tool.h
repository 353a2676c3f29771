// The programs that make and take apart archives, run as children that end when isolatectl is interrupted.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "isolatectl/progress.h"
#include "linux/reporting_child.h"

namespace isolate {

bool is_installed(const std::string& program);
// Errors: the program is not installed, and how to install it.
Result<void> require_program(const std::string& program);

// The line among a failed tool's messages that names the cause: an error, not a warning that stood before it.
// Empty: the tool said nothing.
class Complaint {
 public:
  void add(const std::string& line);
  const std::string& cause() const { return error_.empty() ? last_ : error_; }
  // What the tool warned about, for a run of it that succeeded: the first warning, and how many there were.
  const std::string& first_warning() const { return warning_; }
  std::size_t warnings() const { return warnings_; }

 private:
  std::string last_;
  std::string error_;
  std::string warning_;
  std::size_t warnings_ = 0;
};

// Runs a tool with `in` and `out` as its standard streams (-1: none, and the caller's own), and tells its warnings.
// Errors: what the tool said; "interrupted".
Result<void> run_tool(const std::string& name, const std::vector<std::string>& command, int in, int out,
                      Progress* progress);

// Starts `work` in a child that is root in `user_namespace` (-1: as the caller).
Result<ReportingChild> start_as_owner(int user_namespace, const std::function<Result<void>()>& work);
// Waits for the child, which ends its tool when this process is interrupted.
Result<void> finish(ReportingChild* child);

}  // namespace isolate
