// Sends and receives the messages of wire/init_protocol.h over a socket that keeps message boundaries.
#pragma once

#include <sys/types.h>

#include "wire/init_protocol.h"

namespace isolate::init {

// Sends a message. Errors are ignored: they mean that the other end is gone, and this process then ends as well.
void report(int socket, protocol::Kind kind, int value);
// The same without waiting. Process 1 uses it when the other end may not be reading, because it must not block.
void report_at_once(int socket, protocol::Kind kind, int value);
// Sends a message together with a descriptor. Returns 0 or errno.
int report_with(int socket, protocol::Kind kind, int descriptor);

struct Received {
  protocol::Message message;
  int descriptors[protocol::kExecDescriptors];
  unsigned count;  // how many of `descriptors` are set
};
// Whether the file in memory has all the seals of kSetupSeals. If so, nobody can change what isolate-init maps from it.
bool is_sealed(int file);
// Receives a message and the descriptors that come with it, which the caller has to close. Returns what recvmsg(2)
// does.
ssize_t receive(int socket, Received* received);
void close_descriptors(const Received& received);

}  // namespace isolate::init
