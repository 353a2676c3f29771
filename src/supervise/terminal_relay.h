// TerminalRelay: copies between the caller's standard input and output and the guest's own terminal.
#pragma once

#include <poll.h>

#include <array>
#include <string>

#include "base/fd.h"
#include "linux/terminal.h"

namespace isolate {

class TerminalRelay {
 public:
  // `host` is the caller's terminal, or null if there is none. It has to outlive the relay.
  explicit TerminalRelay(const ControllingTerminal* host) : host_(host) {}

  // `guest` is isolate's side of the guest's terminal. Gives it the modes and size of the caller's terminal, and makes
  // the caller's terminal raw.
  void start(Fd guest);
  bool running() const { return static_cast<bool>(guest_); }

  // The descriptors to wait for with poll(2); unused entries have the descriptor -1. copy() handles those that are
  // ready.
  static constexpr std::size_t kSources = 3;
  using Sources = std::array<pollfd, kSources>;
  Sources sources() const;
  void copy(const Sources& answered);

  // Takes over the size of the caller's terminal and makes it raw. For a new size, and after a stop.
  void follow_host() const;
  // Restores the caller's terminal. For a stop, and at the end.
  void give_host_back() const;
  // Copies what the guest has written last, and ends. Returns the errno of a write that failed, now or before, or 0. It
  // is not a failure if the reader of the pipe or the caller's terminal has gone: the guest goes on without them.
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
