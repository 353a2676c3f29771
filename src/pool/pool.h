// Pool: the clones of one template and what state they are in. State is names in directories, and the kernel does the
// bookkeeping: STORE/pools/TEMPLATE/{making,fresh,leased,kept,trash}/CLONE_ID, a file that is locked by whoever works
// with the clone. The lock goes when the last holder has ended, however it ended.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "linux/lock.h"
#include "pool/lease_info.h"
#include "store/store.h"

namespace isolate {

struct RefreshRequest {
  std::optional<unsigned> size;  // how many fresh clones there are to be from now on; without: as it was told last
  bool replace_all = false;      // unused ones of the newest generation too
  bool make_new = true;
};

struct RefreshReport {
  std::size_t made = 0;
  std::vector<std::string> destroyed;  // ids
  std::size_t fresh = 0;               // now
  std::vector<std::string> busy;       // ids of used clones that could not be destroyed now
  std::string reason;                  // of the first of them
  bool takes_long = false;             // the only reason is that there was not enough time
};

// How long one look at used clones may take. A clone that is not gone by then is set aside: it stays in trash/, others
// come first, and as long as there is time left it is tried again. So a guest that leaves 10^7 files, or a member who
// still has the clone mounted and goes on filling it, delays nobody else.
struct ReapLimits {
  std::chrono::milliseconds per_clone{2000};
  std::chrono::milliseconds in_all{3000};
  // For whoever has nothing else to do. It ends all the same: a clone may grow faster than it can be removed.
  static ReapLimits patient() { return {std::chrono::seconds(2), std::chrono::minutes(10)}; }
};

struct ReapReport {
  std::vector<std::string> destroyed;  // ids
  std::vector<std::string> slow;       // ids of those for which there was not enough time
  Result<void> failure;                // the first of the clones that can't be removed now
  // As one outcome: the failure, or ETIMEDOUT when some are slow.
  Result<void> outcome() const;
};

struct PoolStatus {
  unsigned size = 0;  // as it is to be
  std::size_t fresh = 0;
  std::size_t leased = 0;
  std::size_t kept = 0;
  std::size_t trash = 0;  // waiting to be destroyed
};

class Pool {
 public:
  // The state directories are made when the first clone is.
  Pool(Store* store, std::string template_name);

  // Whoever takes or makes clones and whoever looks for unfinished ones are kept apart by this lock: the former hold it
  // shared, for a moment.
  Result<FileLock> lock(FileLock::Mode mode) const;
  // One edit of a template at a time. Errors: EWOULDBLOCK.
  Result<FileLock> lock_for_edit() const;

  // Leases that somebody holds. `kept`: those that nobody holds and that were to be kept. `fresh`: those to be leased.
  Result<std::vector<LeaseInfo>> leases() const;
  Result<std::vector<LeaseInfo>> kept() const;
  Result<std::vector<LeaseInfo>> fresh() const;
  // The kept clone that holds the unpublished changes of an edit. Those that were published before a crash, or that
  // another generation has made useless, do not count.
  Result<std::optional<LeaseInfo>> draft() const;
  // The file of a leased clone, to ask for its lock or to compare it; closing it wakes nobody who watches (below).
  Result<Fd> open_lease(const std::string& clone_id) const;
  Result<PoolStatus> status() const;

  // Removes the clones of leases that nobody holds any more, and what interrupted work has left. Gives back their ids.
  // The clone of an edit that was interrupted is kept: see draft().
  // A clone that can't be removed now stays in trash/ and is tried again at the next call.
  Result<std::vector<std::string>> reap();
  Result<ReapReport> reap(const ReapLimits& limits);
  // Ends a lease whoever still holds its lock, for which its processes must have been killed before: the clone waits to
  // be destroyed, and a state file in place of the locked one lets whoever tidies up do so.
  Result<void> revoke(const LeaseInfo& info) const;
  // True if reap() may find something to do; takes far less time.
  Result<bool> has_abandoned() const;
  // Leaves the removal to the next reap.
  Result<void> discard_kept(const std::string& clone_id);

  // Destroys used clones, those that nothing knows of but that carry our mark, and fresh ones of older generations;
  // makes fresh ones. One at a time for each template: others wait, but not for the removal of clones, which comes
  // last. Errors: a clone can't be made; what was made before stays.
  Result<RefreshReport> refresh(const RefreshRequest& request);

  // Tells whoever watches /run/isolate/signal/TEMPLATE that a clone of a kept-up pool was used: to be refreshed.
  // Does nothing for other pools, and for other callers than root.
  void signal_use() const;

  // Removes the state directories; only when no clone is left.
  Result<void> remove_state();

  // How many fresh clones there are to be; whoever looks after pools makes it so.
  Result<void> set_size(unsigned size) const;
  // Whether the pool was ever given a size, by root: its clones are for the members of the group, too.
  bool is_registered() const;
  // Which directory of states somebody may watch: "fresh", "leased", "trash"; empty: the one that holds them.
  std::string watched_path(const std::string& directory) const { return state(directory.c_str()); }

  Store& store() const { return *store_; }
  const std::string& template_name() const { return template_name_; }

 private:
  friend class Lease;
  static constexpr std::array<const char*, 5> kStates = {"making", "fresh", "leased", "kept", "trash"};
  std::string state(const char* directory, const std::string& clone_id = "") const;
  Result<void> make_state_directories() const;
  Result<void> move_abandoned_to_trash(const char* from) const;
  // From leased/, with a state file that nobody has open: whoever has held the lease may still have the old one and
  // lock it again, and the clone would never be destroyed. Errors: ENOENT, the lease is not there any more.
  Result<void> end_in_trash(const LeaseInfo& info) const;
  bool is_draft(const LeaseInfo& info) const;
  // The clone of an ended run goes to "trash", or to "kept" if it is a draft.
  void move_ended_run(const std::string& clone_id) const;
  Result<std::vector<LeaseInfo>> infos_in(const char* directory) const;
  // A locked state file in making/, under the name of a new clone; the caller holds lock(shared). It is open for
  // reading only: who is given the lock can't write there, and its end is told apart from that of a writer (inotify(7),
  // IN_CLOSE_NOWRITE).
  Result<FileLock> begin_clone(const std::string& clone_id) const;
  Result<void> write_info(const char* directory, const LeaseInfo& info) const;
  static Result<void> write_info(const Fd& file, const LeaseInfo& info);
  // Of a clone whose making failed, what was made and its state. What can't go now is found by the next reap.
  void discard_half_made(const std::string& clone_id) const;

  Result<void> move_all_abandoned_to_trash() const;
  Result<std::vector<std::string>> trash_in_turn() const;
  Result<std::vector<std::string>> ids_in(const char* directory) const;
  void set_aside(const std::string& clone_id) const;
  Result<void> renew(const RefreshRequest& request, RefreshReport* report);
  // True if the fresh clone is in trash now; false when somebody leases it just then.
  bool discard_fresh(const std::string& clone_id) const;
  Result<void> discard_outdated(const Generation& newest, bool replace_all);
  Result<void> discard_surplus(std::size_t wanted);
  Result<void> discard_orphans();
  Result<void> make_fresh();
  Result<unsigned> size() const;

  Store* store_;
  std::string path_;
  std::string template_name_;
};

// The names of the pools of a store.
Result<std::vector<std::string>> pool_names(const Store& store);

}  // namespace isolate
