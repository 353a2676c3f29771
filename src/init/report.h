// What isolate-init tells and is told over a socket that keeps message boundaries, see wire/init_protocol.h.
#pragma once

#include <sys/types.h>

#include "wire/init_protocol.h"

namespace isolate::init {

// Nobody is left to tell when the socket is gone, ignoring: then this process ends too.
void report(int socket, protocol::Kind kind, int value);
// The same for process 1, on a socket of somebody who may not read: it does not wait.
void report_at_once(int socket, protocol::Kind kind, int value);
// Sends a descriptor along. 0 or errno.
int report_with(int socket, protocol::Kind kind, int descriptor);

struct Received {
  protocol::Message message;
  int descriptors[protocol::kExecDescriptors];
  unsigned count;  // of them
};
// Whether nobody can change the file in memory any more: what isolate-init maps from it stays as isolate wrote it.
bool is_sealed(int file);
// As recv(2). What comes beside the message is the caller's to close.
ssize_t receive(int socket, Received* received);
void close_descriptors(const Received& received);

}  // namespace isolate::init
