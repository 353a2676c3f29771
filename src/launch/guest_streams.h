// GuestStreams: what a guest gets as descriptors 0, 1 and 2. A descriptor is more than a stream: a process that has a
// file open can also change its mode, open it again in the other direction, or lock it, and has the network of a
// socket. So the guest gets the caller's own terminals and /dev/null, and a pipe if it does not own that pipe and no
// other run has it. For everything else it gets one end of a new pipe, and a process per stream copies between that
// pipe and the caller's descriptor.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "launch/launcher.h"
#include "linux/idmap.h"
#include "linux/lent_pipe.h"
#include "linux/process.h"
#include "linux/terminal_state.h"

namespace isolate {

// The user who may open the caller's terminals by name while the guest runs.
struct TerminalOwner {
  uid_t uid = 0;              // the guest's root
  uid_t first_of_guests = 0;  // a terminal whose owner is from here on has been lent to the guest of another run
};

struct StreamOptions {
  std::array<bool, 3> is_needed = {true, true, true};  // false: the guest gets /dev/null, or a terminal of its own
  bool copies_terminals = false;                       // the guest gets no terminal of the caller's
  bool is_boundary = true;                             // false: nothing is kept from the guest, all is direct
  std::optional<TerminalOwner> terminal_owner;
  // The user ids that the guest has, outside. It gets no pipe of theirs, which it could write to and give away.
  std::vector<IdMapEntry> guest_uids = {{0, 0, UINT32_MAX}};
  bool ignore_interrupt = false;  // SIGINT does not end waiting for who takes the output
};

class GuestStreams {
 public:
  GuestStreams(GuestStreams&&) = default;
  GuestStreams& operator=(GuestStreams&&) = delete;
  GuestStreams(const GuestStreams&) = delete;
  GuestStreams& operator=(const GuestStreams&) = delete;
  // Without finish(), what has not been copied is lost; terminals and flags are put back all the same.
  ~GuestStreams() { restore(); }

  // Makes the pipes. Errors: a descriptor that is no stream, with advice.
  static Result<GuestStreams> prepare(const StreamOptions& options);

  // What the guest gets as `number`: that of the caller itself, or another.
  int descriptor(int number) const;
  StreamFds descriptors() const;
  // Once the guest has its descriptors: starts the copying. `guest`: a pidfd of the process that the guest ends with;
  // -1 where it has no terminal of the caller's.
  Result<void> start(int guest = -1);

  // Once the guest's command has ended: waits until all that it has written is where it goes, and puts terminals and
  // flags back. `is_patient`: however long that takes; otherwise two seconds for a portion. SIGTERM and the like end
  // the waiting. Returns the exit status for a run whose command had succeeded: 0, or that of a broken pipe or of the
  // signal. Errors: what could not be written or read, and why.
  // `others`: signals that come by another way than to this process.
  struct OtherSignals {
    int fd;                     // readable if there is one
    std::function<int()> read;  // returns its number; 0: it does not ask for an end
  };
  Result<int> finish(bool is_patient, const std::optional<OtherSignals>& others = std::nullopt);

 private:
  GuestStreams() = default;
  struct Flags {
    int number;
    int before;  // as of F_GETFL
  };
  Result<void> prepare_stream(int number);
  Result<void> make_stream_pipe(int number);
  Result<void> make_dead_end(int number);
  bool is_owned_by_guest(int number) const;
  bool can_lend(int number);
  Result<void> start_copier(int number);
  void watch_terminal(int number);
  void share_pipe(int number);
  void remember_flags(int number);
  Result<void> start_keeper(int guest);
  Result<int> wait_for_copiers(const std::optional<OtherSignals>& others);
  Result<void> end_input();
  void restore();

  StreamOptions options_;
  std::array<bool, 3> shared_{};
  std::vector<Flags> flags_;                     // of the caller's descriptors whose flags the guest may change
  std::array<std::optional<LentPipe>, 3> lent_;  // the caller's pipes that the guest has
  std::array<Fd, 3> guests_;                     // the guest's ends
  std::array<Fd, 3> ours_;                       // until the copiers have them
  std::array<ChildProcess, 3> copiers_;
  bool joins_output_ = false;  // 2 is the same stream as 1
  Fd run_reader_;
  Fd run_;  // open until finish()
  Fd hurry_reader_;
  Fd hurry_;
  std::vector<TerminalState> terminals_;
  ChildProcess keeper_;
};

}  // namespace isolate
