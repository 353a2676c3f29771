// Ranges of ids for leases of the group's members: one for each lease. A range belongs to one user until the next boot,
// because the user may leave processes behind in it. A range in use is a locked file, as with leases:
// /run/isolate/ranges/members/SLOT, which has a second name in /run/isolate/ranges/members/by-uid/UID. A member can
// release the lock and keep the lease. So the file also names the lease's clone, and the range is in use as long as the
// clone exists.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "linux/idmap.h"
#include "linux/lock.h"

namespace isolate {

class Pool;

// 16384 ranges above the ids that Debian's adduser assigns (up to 600,165,535) and below 2^31. The first 4096 are for
// runs of root.
constexpr std::uint32_t kFirstRange = 1073741824;
constexpr unsigned kRangesOfRoot = 4096;
constexpr unsigned kRanges = 16384;
constexpr const char* kRangeLocks = "/run/isolate/ranges";

constexpr unsigned kMostRangesOfMember = 256;

struct MemberRange {
  std::uint32_t base = 0;  // the first of kGuestIds ids
  FileLock lock;           // open for reading; the lease has the range as long as anybody holds this lock
  std::string file;
};

// Records the lease that gets the range. Call it before the lock is passed on. From then on the range is in use until
// the lease's clone is destroyed.
Result<void> lend_range(const MemberRange& range, const Pool& pool, const std::string& clone_id);

// Takes a free range for the user. Errors: EDQUOT the user has kMostRangesOfMember ranges in use; ENOSPC all other
// ranges belong to other users. `directory` is for tests.
Result<MemberRange> acquire_member_range(std::uint32_t uid, const std::string& directory = kRangeLocks);

}  // namespace isolate
