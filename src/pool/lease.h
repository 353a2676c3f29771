// Lease: a clone handed to one run, held by a lock on its state file. The kernel drops the lock when the last holder
// ends.
#pragma once

#include <cstdint>

#include "pool/pool.h"

namespace isolate {

class Lease {
 public:
  // Takes a fresh clone of the generation that runs get (Store::generation_for_runs), or makes one if the pool is
  // empty. Fills in the clone id and generation of `info`. Errors: ENOENT there is no such template; those of making a
  // clone (ENOSPC, EROFS, EDQUOT). An error leaves nothing behind.
  static Result<Lease> take(Pool* pool, LeaseInfo info);

  // Takes the kept clone of an interrupted edit, to continue the edit. Errors: ENOENT it is not kept; EWOULDBLOCK it is
  // in use.
  static Result<Lease> resume(Pool* pool, LeaseInfo info);

  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&&) = delete;
  // Does not destroy the clone: a lease that was neither dropped nor kept is left to the next reap.
  ~Lease() = default;

  const std::string& id() const { return info_.clone_id; }
  const LeaseInfo& info() const { return info_; }
  const RootSource& root() const { return root_; }
  const Generation& generation() const { return generation_; }
  // The root as a detached mount, if it had to be mounted; empty otherwise. It keeps the clone in use.
  Fd take_mounted_root() { return std::move(mounted_root_); }
  // Every process with a copy of this read-only descriptor holds the lease. It ends when the last copy is closed.
  int lock_descriptor() const { return lock_.fd(); }

  // Records the user namespaces of the lease's processes, by inode number; 0: the guest has none of its own. Open
  // `info_file` with open_info() early, because a process that has entered other namespaces can't reach the file any
  // more.
  Result<Fd> open_info() const;
  Result<void> set_user_namespaces(const Fd& info_file, std::uint64_t own, std::uint64_t guest);

  // Records that a run has taken the warm guest on the clone, and begins now.
  Result<void> begin_use(std::int64_t now);

  // Ends the use of the clone, which is a single rename: the clone now counts as waiting to be destroyed. The caller
  // keeps the lock, so no reap destroys the clone before drop() or the end of this process.
  Result<void> end();
  // Destroys the clone, after end() if need be. If that is not possible now, or takes more than ten seconds, the next
  // reap does the rest.
  enum class Dropped { gone, busy, slow };
  Result<Dropped> drop();
  // Keeps the clone on disk until isolatectl gc --kept removes it.
  Result<void> keep();

 private:
  Lease(Pool* pool, LeaseInfo info, FileLock lock) : pool_(pool), info_(std::move(info)), lock_(std::move(lock)) {}
  static Result<std::optional<Lease>> take_fresh(Pool* pool, LeaseInfo* info, const Generation& generation);
  static Result<Lease> take(Pool* pool, LeaseInfo info, Generation generation);
  Result<void> use_root(RootSource root);
  Result<void> make_clone();

  Pool* pool_;
  LeaseInfo info_;
  FileLock lock_;
  Generation generation_;
  RootSource root_;
  Fd mounted_root_;
  bool has_ended_ = false;
};

}  // namespace isolate
