// The protocol between `isolate` and `isolate-init`, the first process of a guest: descriptors, the setup that
// isolate-init reads when it starts, and messages over a socket pair that keeps message boundaries (SOCK_SEQPACKET).
// isolate does not trust the guest's side: a message can only be about the guest's own command.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>  // isolate-init has no C++ library

namespace isolate::protocol {

// The descriptors with which isolate-init starts. It has no arguments.
constexpr int kProgramFd = 3;  // the program isolate-init itself
constexpr int kControlFd = 4;  // the guest's end of the socket pair
// The command's standard error. Until isolate-init puts it in place, descriptor 2 leads to isolate, which logs what an
// engine writes there.
constexpr int kErrorFd = 5;
// A file in memory: Setup, then the seccomp filters, the working directory, the environment, and the command's words.
// Texts end with a zero byte.
constexpr int kSetupFd = 6;

// Descriptors for engines that use them:
constexpr int kBootSetupFd = 7;  // the setup for isolate-init when it executes the init of a system in the root
constexpr int kBridgeFd = 8;     // a socket to ask for a connection to a bridge of the host
constexpr int kLogFd = 9;        // a file in memory
constexpr int kLastFd = kLogFd;

// isolate-init reads files in memory only if they have these seals, so nobody can have changed them.
constexpr int kSetupSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

constexpr unsigned kMostLimits = 16;  // Linux has this many resource limits
constexpr unsigned kMostFilters = 2;

struct Limit {
  int32_t resource;  // RLIMIT_*
  uint32_t padding;
  uint64_t value;  // soft and hard limit; UINT64_MAX: unlimited
};

enum class Role : uint32_t {
  first = 0,    // process 1: runs the command, and ends the guest when the command ends
  beside = 1,   // in a system with its own init: runs the command, and reaps the processes that it leaves behind
  becomes = 2,  // confines itself and executes the system's init; has no socket, no terminal, and reports nothing
  waits = 3,  // process 1 of a warm guest: starts nothing until Kind::begin brings another setup, and then acts on that
};

struct Setup {
  uint64_t capabilities;                 // a mask; isolate-init drops all other capabilities
  uint32_t own_group;                    // 1: the command leads a process group
  uint32_t own_terminal;                 // 1: it also gets a new terminal, see Kind::terminal
  uint32_t limits;                       // the number of entries used in `limit`
  uint32_t filters;                      // the number of seccomp(2) programs that follow, in the order to install them
  uint32_t filter_length[kMostFilters];  // length of each program in instructions (sock_filter, 8 bytes each)
  Limit limit[kMostLimits];
  Role role;           // an engine may make a copy of the file with another role
  uint32_t variables;  // the number of environment variables; engines get none
  // The number of the command's words, at least 1. They are not passed on the command line, because bwrap accepts only
  // 9000 words.
  uint32_t arguments;
  uint32_t own_session;      // 1: isolate-init leads a session, without the caller's controlling terminal
  uint64_t ignored_signals;  // signals that the caller ignores, and so does the command; bit N-1 is signal N
  uint64_t blocked_signals;
  // 1: each command gets a user namespace of its own, in which the guest's root is user `user_id` of group `group_id`.
  uint32_t has_user;
  uint32_t user_id;
  uint32_t group_id;
  uint32_t umask;  // of the commands
};

constexpr const char* kSystemInit = "/sbin/init";  // the program that Role::becomes executes

// A further command in a running guest (Kind::exec). A sealed file in memory describes it: ExecSetup, then the
// directory (empty: that of the first command), the arguments, and the variables to add to the environment, each
// terminated by a zero byte. isolate has checked all of that.
struct ExecSetup {
  uint32_t own_terminal;  // 1: the command gets a new terminal as descriptors 0 and 1, see Kind::terminal
  uint32_t own_error;     // 1: and as descriptor 2
  uint32_t arguments;     // at least 1
  uint32_t variables;
  uint64_t ignored_signals;  // of the process that asks for the command, see Setup
  uint64_t blocked_signals;
};
constexpr unsigned kMostExecBytes = 8 << 20;  // for ExecSetup and all that follows; execve(2) accepts 6 MiB
constexpr unsigned kMostExecCommands = 64;    // that run in a guest at the same time
// Milliseconds between SIGHUP and SIGKILL once nobody waits for the command any more.
constexpr int kExecEndGrace = 5000;

// The message of isolatectl to the isolate of a run: this text, with ExecDescriptors. isolate forwards the descriptors
// with Kind::exec.
constexpr char kExecMark[] = "isolate-exec 3";

// The descriptors sent with Kind::exec, in this order. The socket reports the command's start, stops and end, as the
// control socket does for the first command, and receives signals for it. isolate-init ends the command when the other
// end of the socket is closed.
enum ExecDescriptor { kExecSetup, kExecInput, kExecOutput, kExecError, kExecSocket, kExecDescriptors };

// The descriptors sent with Kind::begin, in this order: a setup as behind kSetupFd, and the command's streams.
enum BeginDescriptor { kBeginSetup, kBeginInput, kBeginOutput, kBeginError, kBeginDescriptors };

enum class Kind : uint32_t {
  pid = 1,           // from the command's process just before execve; the kernel attaches its pid (SCM_CREDENTIALS)
  started = 2,       // execve succeeded
  failed = 3,        // execve failed; value: errno
  ended = 4,         // value: the status of wait(2)
  signal = 5,        // to init: send signal `value` to the command
  no_directory = 6,  // the working directory can't be entered; value: errno
  stopped = 7,       // the command was stopped
  terminal = 8,      // with a descriptor: isolate's side of the command's terminal. isolate answers with the same kind
                     // when it has set size and modes, and then the command starts; value: errno
  no_setup = 9,      // a limit, a filter or the terminal can't be set up; value: errno
  continued = 10,    // after `stopped`: the command continues
  exec = 11,         // to init: start a further command; carries ExecDescriptors
  answer = 12,       // isolate-init has passed on a signal that asks for an end
  // To init: send signal `value` to the command's process group, as a terminal does for its special keys.
  group_signal = 13,
  no_user = 14,  // the user namespace for Setup::user_id can't be made; value: errno
  ready = 15,    // isolate-init waits for `begin` (Role::waits)
  begin = 16,    // to init: what to run; carries BeginDescriptors
};

// Signals that ask a command to end. isolate-init acknowledges each of them, whatever the command does then. So isolate
// can wait for a slow command without limit, but give up on an isolate-init that no longer works.
constexpr bool asks_for_end(int signal) {
  return signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT;
}

struct Message {
  Kind kind;
  int32_t value;
};

}  // namespace isolate::protocol
