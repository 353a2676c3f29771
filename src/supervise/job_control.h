// JobControl: isolate stops when its command stops, and goes on when the command goes on or ends. So the shell that
// started isolate has one job to control.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>

#include "supervise/terminal_relay.h"

namespace isolate {

class JobControl {
 public:
  using Clock = std::chrono::steady_clock;

  // What isolate looks at while it is stopped.
  struct Job {
    int control = -1;                           // readable when isolate-init reports something about the command
    pid_t command = -1;                         // -1: not known
    std::optional<Clock::time_point> deadline;  // isolate goes on then, whatever the command does
    const TerminalRelay* relay = nullptr;       // gives the caller's terminal back for the time of the stop
  };

  // What isolate-init reports about the command.
  void command_has_stopped() { stop_is_due_ = true; }
  void command_goes_on() { stop_is_due_ = false; }
  // If the command has stopped and not gone on: stops this process, and returns when it was continued.
  void stop_if_due(const Job& job);

  // Stops this process until somebody continues it.
  static void stop_until_continued();

 private:
  bool stop_is_due_ = false;
};

}  // namespace isolate
