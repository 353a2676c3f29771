// What `isolate` and `isolate-init`, the first process of a guest, agree on: descriptors, the setup that init reads at
// its start, and messages over a socket pair that keeps message boundaries (SOCK_SEQPACKET). The guest's side is not
// trusted: whatever it says is only about its own command.
#pragma once

#include <stdint.h>  // isolate-init has no C++ library

namespace isolate::protocol {

// Descriptors of isolate-init. Its arguments: isolate-init DIRECTORY COMMAND [ARG...].
constexpr int kProgramFd = 3;  // its own program
constexpr int kControlFd = 4;  // the guest's end of the socket pair
// The command's standard error. Until isolate-init puts it in place, what an engine writes there goes to isolate, which
// tells it in a line of its own.
constexpr int kErrorFd = 5;
constexpr int kSetupFd = 6;  // a file in memory: Setup, then the filters

constexpr unsigned kMostLimits = 16;  // as many resources as Linux has
constexpr unsigned kMostFilters = 2;

struct Limit {
  int32_t resource;  // RLIMIT_*
  uint32_t padding;
  uint64_t value;  // soft and hard; UINT64_MAX: unlimited
};

struct Setup {
  uint64_t capabilities;                 // a mask; all others are given up
  uint32_t own_group;                    // 1: the command leads a process group
  uint32_t own_terminal;                 // 1: it also gets a new terminal, whose other side is sent with Kind::terminal
  uint32_t limits;                       // how many of `limit` are set
  uint32_t filters;                      // how many programs for seccomp(2) follow, put on in this order
  uint32_t filter_length[kMostFilters];  // in instructions (sock_filter, 8 bytes each)
  Limit limit[kMostLimits];
};

enum class Kind : uint32_t {
  pid = 1,           // from the command's process just before execve; the kernel adds its pid (SCM_CREDENTIALS)
  started = 2,       // execve worked
  failed = 3,        // execve failed; value: errno
  ended = 4,         // value: status as wait(2) gives it
  signal = 5,        // to init: send signal `value` to the command
  no_directory = 6,  // the working directory could not be entered; value: errno
  stopped = 7,       // the command was stopped
  terminal = 8,      // with a descriptor: the isolate side of the command's terminal
  no_setup = 9,      // a limit, a filter or the terminal could not be set up; value: errno
  continued = 10,    // after `stopped`: the command goes on
};

struct Message {
  Kind kind;
  int32_t value;
};

}  // namespace isolate::protocol
