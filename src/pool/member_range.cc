#include "pool/member_range.h"

#include <fmt/format.h>
#include <unistd.h>

#include <string>

#include "base/text.h"
#include "linux/file.h"

namespace isolate {
namespace {

MemberRange range_of(unsigned slot, FileLock lock) { return {kFirstRange + slot * kGuestIds, std::move(lock)}; }

// One of his that is free; without a lock where there is none.
Result<MemberRange> take_known(const std::string& own, const std::vector<std::string>& slots) {
  const auto first = static_cast<unsigned>(::getpid());  // others begin elsewhere
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const auto& name = slots[(first + i) % slots.size()];
    const auto slot = text::number(name, "slot", kRangesOfRoot, kRanges - 1);
    if (!slot) continue;  // not ours, ignoring
    auto file = open_file(AT_FDCWD, own + "/" + name, O_RDONLY);
    if (!file) continue;
    auto lock = FileLock::try_lock(std::move(*file), FileLock::Mode::exclusive);
    if (lock) return range_of(static_cast<unsigned>(*slot), std::move(*lock));
  }
  return MemberRange{};
}

// One that nobody has had yet.
Result<MemberRange> take_new(const std::string& members, const std::string& own) {
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
    return range_of(slot, std::move(lock));
  }
  return fail(ENOSPC, "all ranges of ids belong to other users until the next boot");
}

}  // namespace

Result<MemberRange> take_member_range(std::uint32_t uid, const std::string& directory) {
  const auto members = directory + "/members";
  const auto own = fmt::format("{}/by-uid/{}", members, uid);
  TRY_VOID(make_directories(own, 0700));
  auto known = TRY(take_known(own, TRY(list_directory(AT_FDCWD, own))));
  if (known.lock) return known;
  // One at a time of each user, so that none has more than he may.
  auto alone = TRY(FileLock::wait(TRY(open_file(AT_FDCWD, own, O_RDONLY | O_DIRECTORY)), FileLock::Mode::exclusive));
  const auto slots = TRY(list_directory(AT_FDCWD, own));
  if (slots.size() < kMostRangesOfMember) return take_new(members, own);
  known = TRY(take_known(own, slots));
  if (known.lock) return known;
  return fail(EDQUOT, fmt::format("user {} has {} leases already", uid, kMostRangesOfMember));
}

}  // namespace isolate
