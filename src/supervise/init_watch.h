// InitWatch: notices that isolate-init no longer does its work. A guest can stop or freeze it and lower its limits, but
// must not keep isolate from ending that way.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>

#include "base/fd.h"
#include "linux/process.h"

namespace isolate {

class InitWatch {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kPatience{5};

  // Watches the command's process, whose pid is that of this process's pid namespace. If isolate has no room for one
  // more descriptor, it watches only the answers to signals.
  void watch_command(pid_t command);
  // For poll(2): becomes readable when the command has ended. -1: do not wait for it.
  int command_pidfd() const { return has_ended_ ? -1 : command_.get(); }
  // From now on, isolate-init has kPatience to report the command's end.
  void note_end_of_command(Clock::time_point now);

  // isolate-init has got a signal that asks for the command's end, and has kPatience to answer that it passed it on.
  void expect_answer(Clock::time_point now);
  void note_answer(Clock::time_point now);
  bool waits_for_answer() const { return answers_due_ > 0; }

  // When isolate gives isolate-init up. Nothing: isolate-init owes neither report nor answer.
  std::optional<Clock::time_point> deadline() const;
  // Returns true once, when the deadline has passed.
  bool give_up(Clock::time_point now);
  bool has_given_up() const { return has_given_up_; }
  // How the command ended, from the kernel. Nothing: the kernel does not say (before Linux 6.15, or before somebody has
  // waited for the process).
  std::optional<ExitStatus> end_of_command() const;

 private:
  Fd command_;
  bool has_ended_ = false;
  bool has_given_up_ = false;
  int answers_due_ = 0;
  std::optional<Clock::time_point> report_due_;
  std::optional<Clock::time_point> answer_due_;
};

}  // namespace isolate
