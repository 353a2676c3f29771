// How the processes that copy streams wait: for data and room, and meanwhile for the end of the run.
#pragma once

#include "launch/stream_copier.h"

namespace isolate {

constexpr int kCopierPatience = 2000;  // milliseconds for a portion, once the caller wants an end

struct CopyEnds {
  bool run = false;     // no more of the guest
  bool parent = false;  // the guest is about to end
  bool hurry = false;   // nor patience of the caller
};

// Has the death of isolate end waiting instead of this process: SIGKILL would lose what has to be given back or
// drained. Ten seconds later this process ends all the same.
void follow_parent();

// Waits for `events` of `fd`; returns what came, 0 for nothing, POLLNVAL when the time is over: after `most`
// milliseconds, or after kCopierPatience in a hurry. It also returns when the run ends or a hurry begins, as far as
// `ends` does not know that yet, and when `sink` has no reader any more.
short wait_for(const StreamCopy& copy, CopyEnds* ends, int fd, short events, int most = -1, int sink = -1);

bool is_transient(int error);

}  // namespace isolate
