// A command that isolate-init runs: the first one, with which the guest ends, or one of those that are started in it
// later.
#pragma once

#include <sys/types.h>

#include "init/report.h"
#include "linux/signal_reset.h"

namespace isolate::init {

struct Command {
  const protocol::Setup* setup;  // its limits and filters
  char** arguments;              // one place before them is writable, see program.h
  SignalState signals;           // what it inherits of whoever asked for it
  int socket;                    // where it is reported on, and signals for it come from
  bool own_group;                // it leads a process group
  bool own_terminal;             // which is in the foreground of this process's terminal
  pid_t pid;
};

// Enters the working directory. By now the root is in place and nothing of the host is open any more; a link in /proc
// to an open file would be the only way out, so none is followed. 0 or errno.
int enter_directory(const char* path);

// Makes this process the leader of a session with a new terminal of the guest's own, as 0 and 1, and 2 where it is to
// be; the other side goes to isolate, whose answer is waited for. 0 or errno.
int open_terminal(int socket, bool as_error);

// In the command's process, just before it executes: nothing of the template has run in it. 0 or errno.
int apply(const Command& command);

// Starts it, and reports on that. False when there is no command then.
bool start(Command* command);

// Reaps every child that has ended, and tells when the command has stopped or goes on. True when the command has ended.
// `other_changed` is called with the wait status of all others; null: nobody minds.
bool reap(const Command& command, int* status, void (*other_changed)(pid_t, int));

// Passes on what isolate asks for.
void obey(const Command& command, const protocol::Message& message);

// A descriptor to read the ends of children from, with all signals blocked; they are not those of the command.
int hold_signals();
void drain(int signals);

// A descriptor for epoll_wait(2) on the two. Unlike poll(2) that works whatever limits the guest sets for this process.
// -1: errno tells why.
int watch(int socket, int signals);

}  // namespace isolate::init
