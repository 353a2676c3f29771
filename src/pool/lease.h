// A clone handed to one run.
#pragma once

#include "pool/pool.h"

namespace isolate {

class Lease {
 public:
  // Takes a fresh clone of the template's newest generation, or makes one where there is none. `info` is completed with
  // clone id and generation. Errors: ENOENT no such template; those of making clones (ENOSPC, EROFS, EDQUOT). Nothing
  // is left after an error.
  static Result<Lease> take(Pool* pool, LeaseInfo info);

  // Takes the clone that an edit has left, to go on with it. Errors: ENOENT it is not kept; EWOULDBLOCK it is in use.
  static Result<Lease> resume(Pool* pool, LeaseInfo info);

  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&&) = delete;
  // A lease that is neither dropped nor kept is left to the next reap.
  ~Lease() = default;

  const std::string& id() const { return info_.clone_id; }
  const LeaseInfo& info() const { return info_; }
  const RootSource& root() const { return root_; }
  const Generation& generation() const { return generation_; }
  // Whoever has a copy of this descriptor, open for reading, holds the lease; the last one's end is its end.
  int lock_descriptor() const { return lock_.fd(); }

  // Writes down in which user namespaces the lease's processes are; 0: the guest has none of its own. `info_file` was
  // opened by open_info, as this process has no way to that any more once it is in other namespaces.
  Result<Fd> open_info() const;
  Result<void> set_user_namespaces(const Fd& info_file, std::uint64_t own, std::uint64_t guest);

  // Destroys the clone. What can't be removed now, or not within ten seconds, is left to the next reap.
  enum class Dropped { gone, busy, slow };
  Result<Dropped> drop();
  // Leaves the clone on disk, for isolatectl gc --kept to remove.
  Result<void> keep();

 private:
  Lease(Pool* pool, LeaseInfo info, FileLock lock) : pool_(pool), info_(std::move(info)), lock_(std::move(lock)) {}
  static Result<std::optional<Lease>> take_fresh(Pool* pool, LeaseInfo* info, const Generation& generation);
  Result<void> make_clone();

  Pool* pool_;
  LeaseInfo info_;
  FileLock lock_;
  Generation generation_;
  RootSource root_;
};

}  // namespace isolate
