// JobControl: isolate stops when its command stops, and goes on when the command goes on or ends. So the shell that
// started isolate has one job to control.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>

#include "supervise/remote_caller.h"
#include "supervise/terminal_relay.h"

namespace isolate {

class JobControl {
 public:
  using Clock = std::chrono::steady_clock;

  // These decide how long isolate stays stopped.
  struct Job {
    int control = -1;                           // readable when isolate-init reports something about the command
    pid_t command = -1;                         // -1: not known
    std::optional<Clock::time_point> deadline;  // at this time isolate goes on, whatever the command does
    const TerminalRelay* relay = nullptr;       // restores the caller's terminal during the stop
    RemoteCaller* caller = nullptr;             // this process is stopped in place of the own one
  };

  // Call these when isolate-init reports that about the command.
  void command_has_stopped() { stop_is_due_ = true; }
  void command_goes_on() { stop_is_due_ = false; }
  // If the command has stopped and has not gone on since, stops this process too, and returns when it is continued. A
  // remote caller is stopped without waiting.
  void stop_if_due(const Job& job);

  // Stops this process until somebody continues it.
  static void stop_until_continued();

 private:
  bool stop_is_due_ = false;
};

}  // namespace isolate
