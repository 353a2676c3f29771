#include "pool/member_range.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "base/text.h"
#include "linux/file.h"
#include "pool/pool.h"

namespace isolate {
namespace {

// The states in which a lease's clone still exists.
constexpr std::array kStatesOfLease = {"leased", "trash"};

MemberRange range_of(unsigned slot, FileLock lock, std::string file) {
  return {kFirstRange + slot * kGuestIds, std::move(lock), std::move(file)};
}

// Says whether the clone still exists for which the range was lent. The range's file contains "POOL CLONE", where POOL
// is a directory. The name of a clone contains no blank.
bool has_clone(const std::string& lent) {
  const auto blank = lent.rfind(' ');
  if (blank == std::string::npos) return false;
  const auto pool = lent.substr(0, blank);
  const auto clone = lent.substr(blank + 1);
  return std::any_of(kStatesOfLease.begin(), kStatesOfLease.end(), [&](const char* state) {
    return ::access(fmt::format("{}/{}/{}", pool, state, clone).c_str(), F_OK) == 0;
  });
}

// Takes a free range that this user has had before. The result has no lock if all of them are in use.
Result<MemberRange> acquire_known(const std::string& own, const std::vector<std::string>& slots) {
  // Start at different positions, so that processes seldom try the same range.
  const auto first = static_cast<unsigned>(::getpid());
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const auto& name = slots[(first + i) % slots.size()];
    const auto slot = text::number(name, "slot", kRangesOfRoot, kRanges - 1);
    if (!slot) continue;  // not a file of isolate's
    auto file = open_file(AT_FDCWD, own + "/" + name, O_RDONLY);
    if (!file) continue;
    auto lock = FileLock::try_lock(std::move(*file), FileLock::Mode::exclusive);
    if (!lock) continue;
    const auto lent = read_all(lock->fd());
    if (lent && !has_clone(*lent)) return range_of(static_cast<unsigned>(*slot), std::move(*lock), own + "/" + name);
  }
  return MemberRange{};
}

// Takes a range that no user has had since boot.
Result<MemberRange> acquire_new(const std::string& members, const std::string& own) {
  constexpr unsigned kCount = kRanges - kRangesOfRoot;
  const auto first = static_cast<unsigned>(::getpid()) % kCount;
  for (unsigned i = 0; i < kCount; ++i) {
    const auto slot = static_cast<unsigned>(kRangesOfRoot + (first + i) % kCount);
    const auto path = fmt::format("{}/{}", members, slot);
    auto file = open_file(AT_FDCWD, path, O_RDONLY | O_CREAT | O_EXCL, 0600);
    if (!file && file.error().code() == EEXIST) continue;
    auto lock = TRY(FileLock::try_lock(TRY(std::move(file)), FileLock::Mode::exclusive));
    const auto second = fmt::format("{}/{}", own, slot);
    if (::link(path.c_str(), second.c_str()) != 0) return fail(errno, "link " + second);
    return range_of(slot, std::move(lock), path);
  }
  return fail(ENOSPC, "all ranges of ids belong to other users until the next boot");
}

}  // namespace

Result<void> lend_range(const MemberRange& range, const Pool& pool, const std::string& clone_id) {
  // Opens the file again for writing: the lock's descriptor, which the member receives, is read-only.
  const auto file = TRY(open_file(AT_FDCWD, range.file, O_WRONLY | O_TRUNC | O_NOFOLLOW));
  auto directory = pool.state_path("");
  directory.resize(directory.find_last_not_of('/') + 1);
  return write_all(file.get(), directory + " " + clone_id, range.file);
}

Result<MemberRange> acquire_member_range(std::uint32_t uid, const std::string& directory) {
  const auto members = directory + "/members";
  const auto own = fmt::format("{}/by-uid/{}", members, uid);
  TRY_VOID(make_directories(own, 0700));
  auto known = TRY(acquire_known(own, TRY(list_directory(AT_FDCWD, own))));
  if (known.lock) return known;
  // Serialises this user's requests, so that concurrent ones can't exceed the limit.
  auto alone = TRY(FileLock::wait(TRY(open_file(AT_FDCWD, own, O_RDONLY | O_DIRECTORY)), FileLock::Mode::exclusive));
  const auto slots = TRY(list_directory(AT_FDCWD, own));
  if (slots.size() < kMostRangesOfMember) return acquire_new(members, own);
  known = TRY(acquire_known(own, slots));
  if (known.lock) return known;
  return fail(EDQUOT, fmt::format("user {} has {} leases already", uid, kMostRangesOfMember));
}

}  // namespace isolate
