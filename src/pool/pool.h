// Pool: the clones of one template and what state they are in. State is names in directories, and the kernel does the
// bookkeeping: STORE/pools/TEMPLATE/{making,fresh,leased,kept,trash}/CLONE_ID, a file that is locked by whoever works
// with the clone. The lock goes when the last holder has ended, however it ended.
#pragma once

#include <array>
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
  // The file of a leased clone, to ask for its lock or to compare it; closing it wakes nobody who watches (below).
  Result<Fd> open_lease(const std::string& clone_id) const;
  Result<PoolStatus> status() const;

  // Removes the clones of leases that nobody holds any more, and what interrupted work has left. Gives back their ids.
  // A clone that can't be removed now stays in trash/ and is tried again at the next call.
  Result<std::vector<std::string>> reap();
  // Ends a lease whoever still holds its lock, for which its processes must have been killed before: the clone waits to
  // be destroyed, and a state file in place of the locked one lets whoever tidies up do so.
  Result<void> revoke(const LeaseInfo& info) const;
  // True if reap() may find something to do; takes far less time.
  Result<bool> has_abandoned() const;
  Result<void> remove_kept(const std::string& clone_id);

  // Destroys used clones, those that nothing knows of but that carry our mark, and fresh ones of older generations;
  // makes fresh ones. One at a time for each template: others wait. Errors: a clone can't be made; what was made before
  // stays.
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
  Result<std::vector<LeaseInfo>> infos_in(const char* directory) const;
  // A locked state file in making/, under the name of a new clone; the caller holds lock(shared). It is open for
  // reading only: who is given the lock can't write there, and its end is told apart from that of a writer (inotify(7),
  // IN_CLOSE_NOWRITE).
  Result<FileLock> begin_clone(const std::string& clone_id) const;
  Result<void> write_info(const char* directory, const LeaseInfo& info) const;
  static Result<void> write_info(const Fd& file, const LeaseInfo& info);
  // Of a clone whose making failed, what was made and its state. What can't go now is found by the next reap.
  void discard_half_made(const std::string& clone_id) const;

  Result<void> reap_into(std::vector<std::string>* reaped);
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
