// A clone handed to one run. Held by a lock on its state file; the kernel drops the lock when the last holder has
// ended, however it ended. State is names in directories: pools/TEMPLATE/{making,leased,trash,kept}/CLONE_ID.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "linux/lock.h"
#include "store/store.h"

namespace isolate {

// What is written into a lease's file, for people to read (isolatectl ps); nothing is decided by it but which
// generation garbage collection spares.
struct LeaseInfo {
  std::string clone_id;
  std::string template_name;
  std::string engine;
  std::string user;
  std::int64_t pid = 0;    // of isolate
  std::int64_t since = 0;  // seconds since 1970
  unsigned generation = 0;
};

class Pool {
 public:
  // `store_path` is where the state directories are. They are made when the first lease is taken.
  Pool(Store* store, std::string store_path, std::string template_name);

  // Leases and reaping of unfinished ones are kept apart by this lock: takers hold it shared, for a moment.
  Result<FileLock> lock(FileLock::Mode mode) const;
  // One edit of a template at a time. Errors: EWOULDBLOCK.
  Result<FileLock> lock_for_edit() const;

  // Leases that somebody holds. `kept`: those that nobody holds and that were to be kept.
  Result<std::vector<LeaseInfo>> leases() const;
  Result<std::vector<LeaseInfo>> kept() const;

  // Removes the clones of leases that nobody holds any more, and what interrupted work has left. Gives back their ids.
  // A clone that can't be removed now stays in trash/ and is tried again at the next call.
  Result<std::vector<std::string>> reap();
  // True if reap() may find something to do; takes far less time.
  Result<bool> has_abandoned() const;
  Result<void> remove_kept(const std::string& clone_id);

  // Removes the state directories; only when no lease is left.
  Result<void> remove_state();

  Store& store() const { return *store_; }
  const std::string& template_name() const { return template_name_; }

 private:
  friend class Lease;
  std::string state(const char* directory, const std::string& clone_id = "") const;
  Result<void> make_state_directories() const;
  Result<void> move_abandoned_to_trash(const char* from) const;

  Store* store_;
  std::string path_;
  std::string template_name_;
};

// The names of the pools of a store.
Result<std::vector<std::string>> pool_names(const std::string& store_path);

class Lease {
 public:
  // Makes a clone of the template's newest generation. `info` is completed with clone id and generation.
  // Errors: ENOENT no such template; those of making directories (ENOSPC, EROFS, EDQUOT). Nothing is left after an
  // error.
  static Result<Lease> take(Pool* pool, LeaseInfo info);

  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&&) = delete;
  // A lease that is neither dropped nor kept is left to the next reap.
  ~Lease() = default;

  const std::string& id() const { return info_.clone_id; }
  const LeaseInfo& info() const { return info_; }
  const RootSource& root() const { return root_; }
  const Generation& generation() const { return generation_; }

  // Destroys the clone.
  Result<void> drop();
  // Leaves the clone on disk, for isolatectl gc --kept to remove.
  Result<void> keep();

 private:
  Lease(Pool* pool, LeaseInfo info, FileLock lock) : pool_(pool), info_(std::move(info)), lock_(std::move(lock)) {}
  Result<void> make_clone();

  Pool* pool_;
  LeaseInfo info_;
  FileLock lock_;
  Generation generation_;
  RootSource root_;
};

}  // namespace isolate
