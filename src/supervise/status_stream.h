// StatusStream: writes the events of --status-fd, one JSON object per line, for the program that runs isolate.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "linux/process.h"

namespace isolate {

class StatusStream {
 public:
  // `number` is a descriptor of the caller, or -1 to write nothing. No child inherits it.
  // Errors: it is not open for writing.
  static Result<StatusStream> open(int number);

  // Writes to a descriptor that this process has received. Errors: it is not open for writing.
  static Result<StatusStream> take(Fd descriptor);

  // If the reader has gone away, the event is lost and the run goes on. `is_warm`: the guest was there before the run.
  void report_start(int pid, const std::string& clone_id, bool is_warm) const;
  // The events of isolate --hold: the guest waits for a run; a run has taken the guest.
  void report_ready(const std::string& clone_id) const;
  void report_taken(const std::string& clone_id) const;
  // `out_of_memory`: the kernel has killed a process of the guest because the guest was over its memory limit.
  void report_end(const ExitStatus& status, bool timed_out, bool out_of_memory) const;
  void report_failure(const std::string& step, const std::string& reason) const;

  int fd() const { return fd_.get(); }  // -1: nobody reads

  // Closes the descriptor, so that the reader sees the end of the events.
  void close() { fd_.reset(); }

 private:
  Fd fd_;
};

}  // namespace isolate
