#include "linux/capability.h"

#include <gtest/gtest.h>
#include <linux/capability.h>

#include <cstdint>

#include "base/testing.h"

namespace isolate {
namespace {

using Names = std::vector<std::string>;

CapabilitySet parsed(const char* list) { return test::must(CapabilitySet::parse(list)); }

TEST(CapabilityTest, NamesAreAcceptedInAnyCaseWithAndWithoutPrefix) {
  for (const char* name : {"NET_ADMIN", "CAP_NET_ADMIN", "net_admin", "Cap_Net_Admin"}) {
    EXPECT_EQ(parsed(name).names(), Names{"CAP_NET_ADMIN"}) << name;
  }
}

TEST(CapabilityTest, NamesAreListedInTheOrderOfTheirNumbers) {
  EXPECT_EQ(parsed("kill,CHOWN,kill").names(), (Names{"CAP_CHOWN", "CAP_KILL"}));
}

TEST(CapabilityTest, NumbersAreThoseOfTheKernel) {
  EXPECT_EQ(parsed("CHOWN").mask(), 1U);
  EXPECT_TRUE(parsed("SYS_ADMIN").has(CAP_SYS_ADMIN));
  EXPECT_TRUE(parsed("CHECKPOINT_RESTORE").has(CAP_CHECKPOINT_RESTORE));
  EXPECT_FALSE(parsed("CHOWN").has(CAP_CHECKPOINT_RESTORE));
}

TEST(CapabilityTest, AllIsEveryCapabilityOfTheKernelHeaders) {
  EXPECT_EQ(parsed("all"), CapabilitySet::all());
  EXPECT_EQ(CapabilitySet::all().mask(), (std::uint64_t{1} << (CAP_LAST_CAP + 1)) - 1);
  EXPECT_EQ(parsed("chown,ALL,kill"), CapabilitySet::all());
}

TEST(CapabilityTest, UnknownNamesAreRefused) {
  for (const char* list : {"", ",", "CHOWN,", "NET ADMIN", "CAP_", "CAP_CAP_CHOWN", "FLY", "0", "-ALL"}) {
    EXPECT_FALSE(CapabilitySet::parse(list)) << "'" << list << "'";
  }
  EXPECT_EQ(test::message_of(CapabilitySet::parse("CHOWN,fl\x1by")),
            "unknown capability 'fl\\x1by'; see capabilities(7)");
}

TEST(CapabilityTest, AddingAndDroppingAreSetOperations) {
  auto set = parsed("CHOWN,KILL");
  set.drop(parsed("KILL,SETUID"));
  EXPECT_EQ(set.names(), Names{"CAP_CHOWN"});
  set.add(parsed("SETUID"));
  EXPECT_EQ(set, parsed("CHOWN,SETUID"));
  EXPECT_EQ(CapabilitySet::none().mask(), 0U);
}

// The mask that /proc/self/status shows in a Docker container with the documented default.
TEST(CapabilityTest, DockerDefaultIsTheMaskThatDockerUses) {
  EXPECT_EQ(CapabilitySet::docker_default().mask(), 0xa80425fbU);
}

}  // namespace
}  // namespace isolate
