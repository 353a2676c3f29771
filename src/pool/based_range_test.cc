#include "pool/based_range.h"

#include <cstdint>

#include "base/testing.h"
#include "pool/member_range.h"

namespace isolate {
namespace {

constexpr std::uint32_t kMember = 3'900'000'001;  // an id that no machine uses

class BasedRangeTest : public ::testing::Test {
 protected:
  BasedRangeTest() { give("", ""); }
  void give(const std::string& subuid, const std::string& subgid) {
    test::write_text(files_.subuid, subuid);
    test::write_text(files_.subgid, subgid);
  }
  bool may_use(const std::optional<BasedRange>& registered = std::nullopt, std::uint32_t member = kMember) const {
    return check_member_may_use(kRange, registered, member, files_).has_value();
  }

  static constexpr BasedRange kRange{700'000'000, 700'000'000};
  test::TempDirectory directory_;
  IdFiles files_{directory_ / "subuid", directory_ / "subgid"};
};

TEST_F(BasedRangeTest, AMemberMayUseOnlyTheRangeThatRootHasRegistered) {
  EXPECT_FALSE(may_use());
  EXPECT_TRUE(may_use(kRange));
  EXPECT_FALSE(may_use(BasedRange{kRange.uid, kRange.gid + 1}));
  EXPECT_FALSE(may_use(BasedRange{kRange.uid - 1, kRange.gid}));
}

TEST_F(BasedRangeTest, AMemberMayUseTheirOwnSubordinateIds) {
  const std::string own = std::to_string(kMember) + ":700000000:65536\n";
  give(own, "");
  EXPECT_FALSE(may_use());
  give(own, own);
  EXPECT_TRUE(may_use());
  EXPECT_FALSE(may_use(std::nullopt, kMember + 1));
  const std::string too_few = std::to_string(kMember) + ":700000000:65535\n";
  give(own, too_few);
  EXPECT_FALSE(may_use());
}

TEST_F(BasedRangeTest, IdsOfAnotherUserAreRefusedEvenIfRegistered) {
  for (const char* entry : {"somebody:700000000:65536\n", "somebody:700065535:1\n", "12345:699999999:2\n"}) {
    give(entry, "");
    EXPECT_FALSE(may_use(kRange)) << entry;
    give("", entry);
    EXPECT_FALSE(may_use(kRange)) << entry;
  }
  for (const char* entry : {"somebody:699999999:1\n", "somebody:700065536:65536\n", "root:700000000:65536\n"}) {
    give(entry, entry);
    EXPECT_TRUE(may_use(kRange)) << entry;
  }
}

TEST_F(BasedRangeTest, ARangeThatIsAlsoAssignedToAnotherUserIsRefused) {
  give(std::to_string(kMember) + ":700000000:65536\nsomebody:700000010:1\n",
       std::to_string(kMember) + ":700000000:65536\n");
  EXPECT_FALSE(may_use());
  EXPECT_EQ(other_holder(kRange, kMember, files_), "somebody");
}

TEST_F(BasedRangeTest, IdsOfTheHostAndIdsThatIsolateLendsAreRefused) {
  constexpr std::uint32_t kEnd = kFirstRange + (kRanges - 1) * kGuestIds;
  for (const std::uint32_t base : {1U, kFirstRange - 1, kFirstRange, kEnd, kEnd + kGuestIds - 1}) {
    EXPECT_FALSE(check_unused({base, kRange.gid})) << base;
    EXPECT_FALSE(check_unused({kRange.uid, base})) << base;
  }
  EXPECT_TRUE(check_unused({kFirstRange - kGuestIds, kEnd + kGuestIds}));
}

}  // namespace
}  // namespace isolate
