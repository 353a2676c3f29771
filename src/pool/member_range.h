// Ranges of ids for leases of the group's members: one for each lease, and never another user's before the next boot,
// since a member may leave processes of his behind in one. Which are taken is locked files, as for leases:
// /run/isolate/ranges/members/SLOT, with a second name in /run/isolate/ranges/members/by-uid/UID. A member can let go
// of that lock and keep the lease: the file names the lease's clone, and the range is taken as long as that is there.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "linux/idmap.h"
#include "linux/lock.h"

namespace isolate {

class Pool;

// 16384 ranges above what Debian's adduser gives to users (up to 600,165,535) and below 2^31. The first 4096 are for
// runs of root.
constexpr std::uint32_t kFirstRange = 1073741824;
constexpr unsigned kRangesOfRoot = 4096;
constexpr unsigned kRanges = 16384;
constexpr const char* kRangeLocks = "/run/isolate/ranges";

constexpr unsigned kMostRangesOfMember = 256;

struct MemberRange {
  std::uint32_t base = 0;  // of kGuestIds ids
  FileLock lock;           // open for reading; the range is the lease's while somebody holds it
  std::string file;
};

// Notes down the lease that has the range, before anybody else gets its lock. The range is taken while its clone is
// leased or waits to be destroyed.
Result<void> lend_range(const MemberRange& range, const Pool& pool, const std::string& clone_id);

// Errors: EDQUOT all of the kMostRangesOfMember are in use; ENOSPC all ranges belong to other users.
// `directory`: for tests.
Result<MemberRange> take_member_range(std::uint32_t uid, const std::string& directory = kRangeLocks);

}  // namespace isolate
