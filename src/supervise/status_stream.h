// StatusStream: what --status-fd gives a program that runs isolate: a JSON object a line.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "linux/process.h"

namespace isolate {

class StatusStream {
 public:
  // `number` is a descriptor of the caller's, or -1: nothing is written. It is closed in all children.
  // Errors: EBADF not open for writing.
  static Result<StatusStream> open(int number);

  // A reader that has gone away is not an error.
  void started(int pid, const std::string& clone_id) const;
  // `out_of_memory`: the kernel has killed something of the guest, whose memory was over its limit.
  void ended(const ExitStatus& status, bool timed_out, bool out_of_memory) const;
  void failed(const std::string& step, const std::string& reason) const;

 private:
  Fd fd_;
};

}  // namespace isolate
