#include "linux/idmap.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace isolate {
namespace {

using Ranges = std::vector<IdRange>;

Ranges ranges_of_tester(const char* text) { return parse_subids(text, "tester", 1007); }

TEST(OwnIdsTest, CountsIdsFromZeroAndFindsAWholeRange) {
  const auto whole = own_ids_in("         0          0 4294967295\n", {1 << 30, 65536});
  EXPECT_TRUE(whole.has_range);
  EXPECT_EQ(whole.from_zero, 4294967295U);
  const auto few = own_ids_in("         0     700000      65536\n", {1 << 30, 65536});
  EXPECT_FALSE(few.has_range);
  EXPECT_EQ(few.from_zero, 65536U);
  const auto user = own_ids_in("0 1000 1\n1 100000 65536\n70000 5 10\n", {1, 65536});
  EXPECT_TRUE(user.has_range);
  EXPECT_EQ(user.from_zero, 65537U);
  EXPECT_EQ(own_ids_in("", {1, 1}).from_zero, 0U);
  EXPECT_EQ(own_ids_in("5 0 10\n", {1, 1}).from_zero, 0U);
}

TEST(SubidTest, FindsLinesByNameAndByNumber) {
  EXPECT_EQ(ranges_of_tester("other:100000:65536\ntester:165536:65536\n1007:231072:1000\n10070:5:5\n"),
            (Ranges{{165536, 65536}, {231072, 1000}}));
  EXPECT_EQ(ranges_of_tester("tester:165536:65536"), (Ranges{{165536, 65536}})) << "without a newline at the end";
  EXPECT_EQ(ranges_of_tester(""), Ranges{});
}

TEST(SubidTest, MalformedLinesAreSkipped) {
  for (const char* line : {"tester",
                           "tester:",
                           "tester:100000",
                           "tester:100000:",
                           "tester::65536",
                           "tester:100000:65536:x",
                           "tester: 100000:65536",
                           "tester:100000:65536 ",
                           "tester:100000:65536\r",
                           "tester:+5:10",
                           "tester:-5:10",
                           "tester:0x10:10",
                           "tester:010:10",
                           "tester:100000:0",
                           "tester:a:b",
                           "# tester:100000:65536",
                           " tester:100000:65536",
                           "Tester:100000:65536",
                           "tester2:100000:65536",
                           "*:100000:65536"}) {
    EXPECT_EQ(ranges_of_tester(line), Ranges{}) << line;
  }
}

TEST(SubidTest, RangesWithRootOrBeyondTheLastIdAreSkipped) {
  EXPECT_EQ(ranges_of_tester("tester:0:65536"), Ranges{}) << "the host's root";
  EXPECT_EQ(ranges_of_tester("tester:4294967295:1"), Ranges{});
  EXPECT_EQ(ranges_of_tester("tester:4294901760:65536"), Ranges{}) << "contains 4294967295, which means 'no id'";
  EXPECT_EQ(ranges_of_tester("tester:4294967296:65536"), Ranges{});
  EXPECT_EQ(ranges_of_tester("tester:1:18446744073709551615"), Ranges{});
  EXPECT_EQ(ranges_of_tester("tester:4294901759:65536"), (Ranges{{4294901759, 65536}}));
}

TEST(SubidTest, AUserWithoutANameOwnsOnlyLinesWithTheirNumber) {
  EXPECT_EQ(parse_subids(":100000:65536\n1007:200000:5\n", "", 1007), (Ranges{{200000, 5}}));
}

TEST(SubidTest, AMalformedLineDoesNotHideTheNextOne) {
  EXPECT_EQ(ranges_of_tester("tester:x:y\n\n::::\ntester:100000:65536\n"), (Ranges{{100000, 65536}}));
}

TEST(IdMapTest, DescriptionsAreTriplesInTheOrderOfTheMap) {
  EXPECT_EQ(describe(std::vector<IdMapEntry>{{0, 1000, 1}, {1, 100000, 65535}}), "0 1000 1, 1 100000 65535");
  EXPECT_EQ(describe(std::vector<IdMapEntry>{}), "");
}

TEST(IdMapTest, MapsFromProcAreParsedLineByLine) {
  EXPECT_EQ(parse_id_map("         0       1000          1\n         1     100000      65535\n"),
            (std::vector<IdMapEntry>{{0, 1000, 1}, {1, 100000, 65535}}));
  EXPECT_EQ(parse_id_map("         0          0 4294967295\n"), (std::vector<IdMapEntry>{{0, 0, 4294967295}}));
  EXPECT_TRUE(parse_id_map("\n0 1\n").empty());
}

TEST(IdMapTest, AnIdentityMapKeepsTheBoundariesOfTheMapAbove) {
  using Map = std::vector<IdMapEntry>;
  EXPECT_EQ(identity_map("0 0 4294967295\n", 65536), (Map{{0, 0, 65536}}));
  EXPECT_EQ(identity_map("1 100000 65536\n0 1000 1\n70000 5 10\n", 65536), (Map{{0, 0, 1}, {1, 1, 65535}}));
}

TEST(UserNameTest, FindsUsersOfTheMachine) {
  EXPECT_EQ(user_name(0), "root");
  EXPECT_EQ(user_name(3987654321), "") << "nobody has this id";
}

TEST(OwnerWithinTest, FindsUsersAndGroupsInARange) {
  EXPECT_EQ(owner_within({0, 65536}, false), "root");
  EXPECT_EQ(owner_within({0, 1}, true), "root");
  EXPECT_EQ(owner_within({1U << 30, 65536}, false), "");
  EXPECT_EQ(owner_within({1U << 30, 65536}, true), "");
}

TEST(OwnerWithinTest, FindsTheUserNobody) { EXPECT_EQ(owner_within({65534, 1}, false), "nobody"); }

}  // namespace
}  // namespace isolate
