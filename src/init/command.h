// A command that isolate-init runs: the first command, at whose end the guest ends, or one that `isolatectl exec`
// starts later.
#pragma once

#include <sys/types.h>

#include "init/report.h"
#include "linux/signal_reset.h"

namespace isolate::init {

struct Command {
  const protocol::Setup* setup;  // has the command's limits and filters
  char** arguments;              // null-terminated; arguments[-1] is writable, see program.h
  SignalState signals;           // the signals that it is to ignore and to block, like the process that asked for it
  int socket;                    // for reports on the command, and for signals that isolate or isolatectl sends it
  bool own_group;                // the command leads a process group
  bool own_terminal;             // that group is the foreground group of this process's terminal
  pid_t pid;                     // -1 until start() has started it
};

// Enters the working directory. The links in /proc to open files are not followed, because through them the directory
// could be one outside the guest's root. Returns 0 or errno; EXDEV: the directory is outside the root.
int enter_directory(const char* path);

// Makes this process the leader of a session, opens a new terminal of the guest as its controlling terminal, and makes
// it descriptors 0 and 1, with `as_error` also 2. Sends the other side to isolate and waits for isolate's answer.
// Returns 0 or errno.
int open_terminal(int socket, bool as_error);

// Sets the command's limits and process group for this process, and puts the group into the foreground. Call it, and
// then install_filters(), in the command's process just before it executes the command, so that no code of the template
// runs without them. Both return 0 or errno.
int apply(const Command& command);
int install_filters(const protocol::Setup& setup);

// Starts the command and reports that, or the error, to the socket. Returns false if it could not be started.
bool start(Command* command);

// Reaps every child that has ended, and reports to the socket when the command has stopped or continued. Returns true
// when the command has ended, and sets `status` to its wait status. For every other child that has changed state it
// calls `other_changed`, which may be null, with the pid and the wait status.
bool reap(const Command& command, int* status, void (*other_changed)(pid_t, int));

// Handles a message from the socket: sends the command the signal that the message asks for. Ignores other messages.
void obey(const Command& command, const protocol::Message& message);

// Blocks all signals of this process, and returns a descriptor that becomes readable when a child changes state
// (signalfd(2)). drain() empties it. The command does not inherit the blocked signals, see Command::signals.
int hold_signals();
void drain(int signals);

// Returns a descriptor for epoll_wait(2) that watches both descriptors, or -1 with errno set. poll(2) would not do: it
// fails if the guest lowers this process's limit of open files below the number of watched descriptors.
int watch(int socket, int signals);

}  // namespace isolate::init
