// What `isolate` and `isolate-init`, the first process of a guest, agree on: descriptors, the setup that init reads at
// its start, and messages over a socket pair that keeps message boundaries (SOCK_SEQPACKET). The guest's side is not
// trusted: whatever it says is only about its own command.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>  // isolate-init has no C++ library

namespace isolate::protocol {

// Descriptors of isolate-init. Its arguments: isolate-init DIRECTORY.
constexpr int kProgramFd = 3;  // its own program
constexpr int kControlFd = 4;  // the guest's end of the socket pair
// The command's standard error. Until isolate-init puts it in place, what an engine writes there goes to isolate, which
// tells it in a line of its own.
constexpr int kErrorFd = 5;
constexpr int kSetupFd = 6;  // a file in memory: Setup, then the filters, the environment, and the command's words

// For the engine, where it is one that has them:
constexpr int kBootSetupFd = 7;  // the setup of isolate-init where it becomes the init of a system that the root holds
constexpr int kBridgeFd = 8;     // where to ask for a connection with a bridge of the host
constexpr int kLogFd = 9;        // a file in memory
constexpr int kLastFd = kLogFd;

// What isolate-init reads is in files in memory with these seals: nobody can change them, and it reads no others.
constexpr int kSetupSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

constexpr unsigned kMostLimits = 16;  // as many resources as Linux has
constexpr unsigned kMostFilters = 2;

struct Limit {
  int32_t resource;  // RLIMIT_*
  uint32_t padding;
  uint64_t value;  // soft and hard; UINT64_MAX: unlimited
};

enum class Role : uint32_t {
  first = 0,    // process 1: runs the command, and the guest ends with it
  beside = 1,   // of a system with an init of its own: runs the command, and takes care of what that leaves behind
  becomes = 2,  // confines itself and becomes the command, a system's init: no socket, no terminal, nothing to report
};

struct Setup {
  uint64_t capabilities;                 // a mask; all others are given up
  uint32_t own_group;                    // 1: the command leads a process group
  uint32_t own_terminal;                 // 1: it also gets a new terminal, see Kind::terminal
  uint32_t limits;                       // how many of `limit` are set
  uint32_t filters;                      // how many programs for seccomp(2) follow, put on in this order
  uint32_t filter_length[kMostFilters];  // in instructions (sock_filter, 8 bytes each)
  Limit limit[kMostLimits];
  Role role;           // an engine may make a copy of the file with another one
  uint32_t variables;  // of the environment, each ended by a zero byte: engines are given none
  // The command's words, each ended by a zero byte, at least 1. Not on a command line: bwrap takes 9000 words at most.
  uint32_t arguments;
  uint32_t own_session;      // 1: isolate-init leads a session, without the caller's controlling terminal
  uint64_t ignored_signals;  // by the caller, and so by the command; bit N-1 is signal N
  uint64_t blocked_signals;
};

constexpr const char* kSystemInit = "/sbin/init";  // what Role::becomes executes

// A further command in a running guest (Kind::exec). What it is comes in a file in memory that nobody can change any
// more: ExecSetup, then the directory (empty: that of the first command), the arguments and the variables to be added
// to the environment, each ended by a zero byte. isolate has checked all that.
struct ExecSetup {
  uint32_t own_terminal;  // 1: the command gets a new terminal as 0 and 1, see Kind::terminal
  uint32_t own_error;     // 1: as 2 too
  uint32_t arguments;     // at least 1
  uint32_t variables;
  uint64_t ignored_signals;  // by who asks for it, see Setup
  uint64_t blocked_signals;
};
constexpr unsigned kMostExecBytes = 8 << 20;  // of ExecSetup and all that follows; execve(2) takes 6 MiB
constexpr unsigned kMostExecCommands = 64;    // that run in a guest at a time
constexpr int kExecEndGrace = 5000;           // milliseconds from SIGHUP to SIGKILL when nobody waits any more

// What isolatectl sends to the isolate of a run: this text, with ExecDescriptors. isolate sends Kind::exec on with the
// same descriptors.
constexpr char kExecMark[] = "isolate-exec 3";

// The descriptors beside Kind::exec, in this order. Over the socket, the command's start, stops and end are told as
// those of the first one are over the control socket, and signals for it come from there; when its other end is closed,
// the command is to end.
enum ExecDescriptor { kExecSetup, kExecInput, kExecOutput, kExecError, kExecSocket, kExecDescriptors };

enum class Kind : uint32_t {
  pid = 1,            // from the command's process just before execve; the kernel adds its pid (SCM_CREDENTIALS)
  started = 2,        // execve worked
  failed = 3,         // execve failed; value: errno
  ended = 4,          // value: status as wait(2) gives it
  signal = 5,         // to init: send signal `value` to the command
  no_directory = 6,   // the working directory could not be entered; value: errno
  stopped = 7,        // the command was stopped
  terminal = 8,       // with a descriptor: the isolate side of the command's terminal. Back: it has its size and modes;
                      // the command starts then; value: errno
  no_setup = 9,       // a limit, a filter or the terminal could not be set up; value: errno
  continued = 10,     // after `stopped`: the command goes on
  exec = 11,          // to init: start a further command; with ExecDescriptors
  answer = 12,        // a signal that asks for an end was passed on
  group_signal = 13,  // to init: send signal `value` to the command's process group, as a terminal does with its keys
};

// Signals that are to end a command. To each of them isolate-init answers, whatever the command does then: isolate
// waits for a command as long as it likes, but not for an isolate-init that does not work any more.
constexpr bool asks_for_end(int signal) {
  return signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT;
}

struct Message {
  Kind kind;
  int32_t value;
};

}  // namespace isolate::protocol
