// Notices that isolate-init no longer does its work. What is in a guest can stop or freeze it, and take its limits
// away; that must not keep isolate from ending.
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

  // The command's process, by its pid in this process's pid namespace. Without room for a descriptor only signals are
  // watched.
  void begin(pid_t command);
  // For poll(2): readable once the command has ended, which isolate-init has to report then. -1: not waited for.
  int command() const { return has_ended_ ? -1 : command_.get(); }
  void command_has_ended(Clock::time_point now);

  // A signal was sent to isolate-init that asks for the command's end; isolate-init answers that it has passed it on.
  void ask(Clock::time_point now);
  void answer(Clock::time_point now);
  bool waits_for_answer() const { return questions_ > 0; }

  // When isolate-init is given up; none: it owes nothing.
  std::optional<Clock::time_point> deadline() const;
  // Gives it up if it is time; true once.
  bool give_up(Clock::time_point now);
  bool has_given_up() const { return has_given_up_; }
  // How the command ended that isolate-init did not report; none: the kernel does not tell (before Linux 6.15, or while
  // the process is not reaped).
  std::optional<ExitStatus> end_of_command() const;

 private:
  Fd command_;
  bool has_ended_ = false;
  bool has_given_up_ = false;
  int questions_ = 0;
  std::optional<Clock::time_point> report_due_;
  std::optional<Clock::time_point> answer_due_;
};

}  // namespace isolate
