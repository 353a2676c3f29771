// What a copying process does: moves a stream between a descriptor of the caller's and a pipe whose other end a guest
// has.
#pragma once

namespace isolate {

struct StreamCopy {
  int from = -1;
  int to = -1;
  int guests = -1;  // the guest's end of the pipe of an input, which tells what the guest has not read
  // A byte can be read there once the guest's command has ended. The other end is closed without one when isolate, or
  // who has asked for the command, has died.
  int run = -1;
  // A byte can be read there once the caller wants an end: whoever takes the output then has two seconds for a portion.
  int hurry = -1;
};

// Copies from the caller's descriptor to the guest's pipe until the run ends; the guest sees the end of the input. What
// the guest has not read by the end of the run goes back where the file can seek. Returns 0, or the errno of what
// failed, where the guest has read all that came before.
int copy_input(const StreamCopy& copy);

// Copies from the guest's pipe to the caller's descriptor until nobody in the guest can write any more. When the run
// ends, what is in the pipe by then is all that is copied; when isolate has died, what comes within ten seconds.
// Returns 0, or the errno of what failed: EPIPE when nobody reads any more from what is not a pipe, ETIMEDOUT when
// nobody took anything for two seconds. When nobody reads from a pipe any more, the guest sees that in its own pipe.
int copy_output(const StreamCopy& copy);

}  // namespace isolate
