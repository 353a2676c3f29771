// The parts of isolate --hold: it makes a guest, waits for a run that takes it, and then acts for that run.
#pragma once

#include <optional>
#include <string>

#include "acquire/root_provider.h"
#include "launch/guest_streams.h"
#include "plan/caller_facts.h"
#include "supervise/remote_caller.h"
#include "supervise/status_stream.h"
#include "supervise/supervisor.h"

namespace isolate {

struct HeldGuest {
  // The guest was made with a plan from these two. When a run takes the guest, some of the facts become those of the
  // run.
  AcquiredRoot root;
  CallerFacts facts;
  std::optional<RemoteCaller> caller;  // the run that has taken the guest

  struct Parts {
    std::string clone_id;
    RootProvider* provider;
    Supervisor* supervisor;
  };
  // Records the profile, and gives up the streams of this process, because the guest must not keep them. From now on
  // the messages of this process and its children are collected, for the run that takes the guest. Errors: no warm
  // guest supports what was asked for.
  Result<void> prepare(const RunRequest& request);
  // Prints the collected messages, since no run will. Does nothing after wait_until_taken() has returned true.
  void print_messages();
  // Waits until a run takes the guest. `request` and `status` are then those of that run, and descriptors 0 to 2 its
  // streams. Returns false if the guest has ended, if its template has a newer generation, or if the reader of
  // --status-fd has gone: whoever wanted the guest does not want it any more.
  Result<bool> wait_until_taken(const Parts& parts, RunRequest* request, StatusStream* status);
  // Closes the streams and tells the run its exit status.
  void end(int exit_status);

  // Signals of the run, for GuestStreams::finish().
  std::optional<GuestStreams::OtherSignals> other_signals(bool ignore_interrupt);

  std::string profile;  // of this process before it makes anything
  Fd messages;          // a file in memory, which is descriptor 2 until a run takes the guest
  Fd own_error;         // what was descriptor 2 before
};

}  // namespace isolate
