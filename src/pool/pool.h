// Pool: the clones of one template and their states. A state is a directory, and the kernel does the bookkeeping:
// STORE/pools/TEMPLATE/{making,fresh,leased,kept,trash}/CLONE_ID is a file, which is locked by the processes that work
// with the clone. The kernel drops the lock when the last of them has ended, however it ended.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "linux/lock.h"
#include "pool/lease_info.h"
#include "store/store.h"

namespace isolate {

struct RefreshRequest {
  std::optional<unsigned> size;  // the wanted number of fresh clones from now on; without a value: as set before
  bool replace_all = false;      // also replaces fresh clones of the newest generation
  bool make_new = true;
};

struct RefreshReport {
  std::size_t made = 0;
  std::vector<std::string> destroyed;  // clone ids
  std::size_t fresh = 0;               // fresh clones after the refresh
  std::vector<std::string> busy;       // ids of used clones that could not be destroyed now
  std::string reason;                  // why the first of them could not be destroyed
  bool takes_long = false;             // only lack of time kept clones from being destroyed
};

// How long a reap may take. A clone that takes longer is set aside: it stays in trash/, others come first, and it is
// tried again if time is left. So a guest that leaves 10^7 files, or a member who still has the clone mounted and keeps
// writing, does not delay anybody else.
struct ReapLimits {
  std::chrono::milliseconds per_clone{2000};
  std::chrono::milliseconds in_all{3000};
  // For callers with nothing else to do. It is limited, too, because a clone may grow faster than it is removed.
  static ReapLimits patient() { return {std::chrono::seconds(2), std::chrono::minutes(10)}; }
};

struct ReapReport {
  std::vector<std::string> destroyed;  // clone ids
  std::vector<std::string> slow;       // ids of clones for which the time was too short
  Result<void> failure;                // the first error of a clone that can't be removed now
  // Returns one result: the failure, or an error that names a slow clone.
  Result<void> outcome() const;
};

struct PoolStatus {
  unsigned size = 0;  // the wanted number of fresh clones
  std::size_t fresh = 0;
  std::size_t leased = 0;
  std::size_t kept = 0;
  std::size_t trash = 0;  // waiting to be destroyed
};

class Pool {
 public:
  // Does not create the state directories; the first clone does.
  Pool(Store* store, std::string template_name);

  // Separates processes that take or make clones, which hold this lock shared and briefly, from processes that look for
  // unfinished clones, which hold it exclusively.
  Result<FileLock> lock(FileLock::Mode mode) const;
  // Allows one edit of a template at a time. Errors: EWOULDBLOCK another process edits it.
  Result<FileLock> lock_for_edit() const;

  // leases(): clones that are leased and locked. kept(): clones that were kept after their run. fresh(): clones ready
  // to be leased.
  Result<std::vector<LeaseInfo>> leases() const;
  Result<std::vector<LeaseInfo>> kept() const;
  Result<std::vector<LeaseInfo>> fresh() const;
  // Returns the kept clone with the unpublished changes of an edit. A clone does not count if its changes were
  // published before a crash, or if the template has a newer generation.
  Result<std::optional<LeaseInfo>> draft() const;
  // Opens the state file of a leased clone, to ask for its lock or to compare it. It is opened for writing, so that
  // closing it does not wake the daemon (see begin_clone()).
  Result<Fd> open_lease_file(const std::string& clone_id) const;
  // Returns whether a process holds the lease whose state file this is. If none does, this also wakes the daemon,
  // because the check takes the lock for a moment and may have hidden the end of the lease from a reap.
  bool is_held(const std::string& clone_id, const Fd& lease_file) const;
  // Records that a run has taken the warm guest on a leased clone, and begins now. Errors: ENOENT it is not leased.
  Result<void> begin_use(LeaseInfo* info, std::int64_t now) const;
  Result<PoolStatus> status() const;

  // Destroys the clones of leases that nobody holds any more, and leftovers of interrupted work. Returns their ids. The
  // clone of an interrupted edit is kept: see draft(). A clone that can't be removed now stays in trash/ and is tried
  // again at the next call.
  Result<std::vector<std::string>> reap();
  Result<ReapReport> reap(const ReapLimits& limits);
  // Ends a lease even if its lock is still held. Its processes must have been killed before. The clone moves to trash/
  // with a new, unlocked state file, so that a reap can destroy it.
  Result<void> revoke(const LeaseInfo& info) const;
  // Waits until no other process is destroying a clone of the pool, or until `most` has passed. Returns the ids of
  // those that are still being destroyed then.
  Result<std::vector<std::string>> wait_for_removals(std::chrono::milliseconds most) const;
  // True if reap() has something to do: clones that no process works with. Takes far less time than reap().
  Result<bool> has_abandoned() const;
  // Moves a kept clone to trash/; the next reap destroys it.
  Result<void> discard_kept(const std::string& clone_id);

  // Destroys used clones, clones with the store's mark but without state, and fresh clones of older generations; makes
  // fresh ones. One refresh of a template runs at a time. Others wait for it, but not for the removal of clones, which
  // comes last. Errors: a clone can't be made; those made before stay.
  Result<RefreshReport> refresh(const RefreshRequest& request);

  // Touches /run/isolate/signal/TEMPLATE after a clone of a registered pool was used. Where no daemon runs, a systemd
  // path unit watches that file and has the pool refreshed. Does nothing for other pools, or if the caller is not root.
  void signal_use() const;

  // Removes the state directories if no clone is left.
  Result<void> remove_state();

  // Sets the wanted number of fresh clones. It makes no clones; a refresh does.
  Result<void> set_size(unsigned size) const;
  // Says whether root ever gave the pool a size. Members of the group may lease clones of such a pool.
  bool is_registered() const;
  // Returns the path of a file or directory in the pool's state, such as "fresh", "leased" or "trash"; "" is the state
  // directory itself.
  std::string state_path(const std::string& directory) const { return state(directory.c_str()); }

  Store& store() const { return *store_; }
  const std::string& template_name() const { return template_name_; }

 private:
  friend class Lease;
  static constexpr std::array<const char*, 5> kStates = {"making", "fresh", "leased", "kept", "trash"};
  std::string state(const char* directory, const std::string& clone_id = "") const;
  Result<void> make_state_directories() const;
  // Makes sure that the template exists before it gets state directories. One that has them already is not looked up.
  Result<void> check_template() const;
  Result<void> move_abandoned_to_trash(const char* from) const;
  // Moves a lease to trash/ with a new state file that no process has open. A former holder may still have the old file
  // open and lock it again, and the clone would never be destroyed. Errors: ENOENT the lease no longer exists.
  Result<void> end_in_trash(const LeaseInfo& info) const;
  bool is_draft(const LeaseInfo& info) const;
  // Moves the clone of an ended run to kept/ if it is a draft, otherwise to trash/.
  void move_ended_run(const std::string& clone_id) const;
  Result<std::vector<LeaseInfo>> infos_in(const char* directory) const;
  // Creates a locked state file in making/ for a new clone. The caller holds lock(shared). The file is open for reading
  // only: a process that is given the lock can't write to it, and inotify tells its close from that of a writer
  // (inotify(7), IN_CLOSE_NOWRITE).
  Result<FileLock> begin_clone(const std::string& clone_id) const;
  Result<void> write_info(const char* directory, const LeaseInfo& info) const;
  static Result<void> write_info(const Fd& file, const LeaseInfo& info);
  // Removes what exists of clones that could not be made, and their state. The next reap finds what can't be removed
  // now.
  void discard_half_made(const std::vector<std::string>& clone_ids) const;

  Result<void> move_all_abandoned_to_trash() const;
  // Clones in trash/ that this process destroys together, and the locks of their state files.
  struct TrashBatch {
    std::vector<std::string> ids;
    std::vector<FileLock> locks;
  };
  Result<TrashBatch> lock_trash(std::deque<std::string>* waiting, std::size_t most) const;
  Result<std::vector<std::string>> trash_in_order() const;
  Result<std::vector<std::string>> ids_in(const char* directory) const;
  void set_aside(const std::string& clone_id) const;
  Result<void> renew(const RefreshRequest& request, RefreshReport* report);
  // Moves a fresh clone to trash/. Returns false if another process leases it at that moment.
  bool discard_fresh(const std::string& clone_id) const;
  Result<void> discard_outdated(const Generation& newest, bool replace_all);
  Result<void> discard_surplus(std::size_t wanted);
  Result<void> discard_orphans();
  Result<void> make_fresh(std::size_t count, std::size_t* made);
  Result<unsigned> size() const;

  Store* store_;
  std::string path_;
  std::string template_name_;
};

// Returns the names of a store's pools.
Result<std::vector<std::string>> pool_names(const Store& store);

}  // namespace isolate
