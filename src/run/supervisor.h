// The supervisor: isolate while the command runs. Passes signals on, and learns from isolate-init how the command
// ended.
#pragma once

#include <functional>
#include <optional>

#include "base/fd.h"
#include "base/result.h"
#include "linux/process.h"

namespace isolate {

struct RunOutcome {
  std::optional<ExitStatus> ended;  // the command's own end
  int exec_error = 0;               // errno: the command could not be started
  int directory_error = 0;          // errno: its working directory could not be entered
};

class Supervisor {
 public:
  // Holds the signals that would end this process, or are passed on, back: whatever comes from here on is dealt with in
  // wait(), and the lease is always dropped.
  static void hold_signals();
  // A descriptor to read them from, as of signalfd(2).
  static Result<Fd> held_signals();
  static Result<Supervisor> make(bool ignore_interrupt);

  // The guest's end of the control socket and the write end of the report pipe: for the launcher alone.
  Fd& guest_control() { return guest_control_; }
  Fd& report_writer() { return report_writer_; }

  // Waits until the command and the engine have ended. `started` is called with the command's pid, as the host sees it.
  // Errors: the launcher's report; the engine's end before the command started.
  Result<RunOutcome> wait(ChildProcess launcher, const std::function<void(pid_t)>& started);

 private:
  Supervisor() = default;
  // Takes one message; false when there is none.
  bool read_control(const std::function<void(pid_t)>& started);
  static bool belongs_to_terminal(int signal);
  void pass_signal_on(const ChildProcess& launcher);
  Result<RunOutcome> conclude(const ExitStatus& engine) const;

  bool ignore_interrupt_ = false;
  Fd control_;
  Fd guest_control_;
  Fd report_reader_;
  Fd report_writer_;
  Fd signals_;
  std::string report_;
  pid_t command_pid_ = -1;
  bool has_started_ = false;
  int ending_signal_ = 0;
  RunOutcome outcome_;
};

}  // namespace isolate
