// InitWatch: notices when isolate-init no longer does its work. A guest can stop isolate-init or lower its limits, but
// that must not keep isolate from ending.
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

  // Watches the command's process. `command` is its pid in this process's pid namespace. If isolate has no room for one
  // more descriptor, it watches only the answers to signals.
  void watch_command(pid_t command);
  // For poll(2): becomes readable when the command has ended. -1: do not wait for it.
  int command_pidfd() const { return has_ended_ ? -1 : command_.get(); }
  // Call this when the command has ended. isolate-init then has kPatience to report that.
  void note_end_of_command(Clock::time_point now);

  // Call this when isolate-init was sent a signal that asks for the command's end. It then has kPatience to answer that
  // it has passed the signal on.
  void expect_answer(Clock::time_point now);
  void note_answer(Clock::time_point now);
  bool waits_for_answer() const { return answers_due_ > 0; }

  // The time at which isolate stops waiting for isolate-init. Nothing: isolate expects neither a report nor an answer.
  std::optional<Clock::time_point> deadline() const;
  // Returns true once, when the deadline has passed.
  bool give_up(Clock::time_point now);
  bool has_given_up() const { return has_given_up_; }
  // How the command ended, according to the kernel. Nothing: the kernel does not tell, because it is older than
  // Linux 6.15 or because nobody has reaped the process yet.
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
