// The messages between `isolate` and `isolate-init`, the first process of a guest, over a socket pair that keeps
// message boundaries (SOCK_SEQPACKET). The guest's side is not trusted: whatever it says is only about its own command.
#pragma once

#include <stdint.h>  // isolate-init has no C++ library

namespace isolate::control {

enum class Kind : uint32_t {
  pid = 1,           // from the command's process just before execve; the kernel adds its pid (SCM_CREDENTIALS)
  started = 2,       // execve worked
  failed = 3,        // execve failed; value: errno
  ended = 4,         // value: status as wait(2) gives it
  signal = 5,        // to init: send signal `value` to the command
  no_directory = 6,  // the working directory could not be entered; value: errno
};

struct Message {
  Kind kind;
  int32_t value;
};

// Descriptors of isolate-init, and what it is given as arguments: isolate-init CONTROL_FD CAPABILITIES
// DIRECTORY COMMAND [ARG...].
constexpr int kInitFd = 3;
constexpr int kControlFd = 4;
// The command's standard error. Until isolate-init puts it in place, what an engine writes there goes to isolate, which
// tells it in a line of its own.
constexpr int kErrorFd = 5;

}  // namespace isolate::control
