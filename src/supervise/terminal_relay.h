// TerminalRelay: copies between the caller's standard input and output and the terminal of a guest that has its own.
#pragma once

#include <poll.h>

#include <array>
#include <string>

#include "base/fd.h"
#include "linux/terminal.h"

namespace isolate {

class TerminalRelay {
 public:
  // `host` is the caller's terminal, or null; it outlives the relay.
  explicit TerminalRelay(const ControllingTerminal* host) : host_(host) {}

  // Takes isolate's side of the guest's terminal: gives it the caller's modes and size, and makes the caller's raw.
  void start(Fd guest);
  bool running() const { return static_cast<bool>(guest_); }

  // What to wait for, and what to do once poll(2) has answered.
  static constexpr std::size_t kSources = 3;
  using Sources = std::array<pollfd, kSources>;
  Sources sources() const;
  void copy(const Sources& answered);

  // The caller's terminal has a new size, or is the caller's foreground again after a stop.
  void follow_host() const;
  // Before a stop, and at the end: the caller's terminal as it was.
  void give_host_back() const;
  // Copies what the guest has still written, and ends. Returns the errno of a write that failed before or now: 0 for
  // none, nor for a terminal or pipe that nobody looks at any more, with which the guest goes on.
  int finish();

 private:
  bool host_is_input() const;
  bool read_guest();
  void read_input();
  void write_pending();
  void end_of_input();

  const ControllingTerminal* host_;
  Fd guest_;
  bool input_open_ = true;
  bool output_open_ = true;
  int output_error_ = 0;
  std::string to_guest_;
  std::string to_host_;
  char last_byte_ = '\n';
};

}  // namespace isolate
