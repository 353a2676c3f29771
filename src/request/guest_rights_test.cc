#include "request/guest_rights.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>

#include "base/testing.h"

namespace isolate {
namespace {

CapabilitySet capabilities(const char* list) { return test::must(CapabilitySet::parse(list)); }

TEST(GuestRightsTest, CapabilitiesAreDroppedBeforeOthersAreAdded) {
  RunRequest request;
  EXPECT_EQ(planned_capabilities(request), CapabilitySet::docker_default());
  request.dropped_capabilities = capabilities("ALL");
  request.added_capabilities = capabilities("KILL");
  EXPECT_EQ(planned_capabilities(request), capabilities("KILL"));
  request.engine = EngineKind::chroot;
  request.dropped_capabilities = capabilities("MKNOD");
  EXPECT_TRUE(planned_capabilities(request).has(CAP_SYS_ADMIN));
  EXPECT_FALSE(planned_capabilities(request).has(CAP_MKNOD));
}

TEST(GuestRightsTest, MountsAreLockedForWhoeverMayMount) {
  RunRequest request;
  EXPECT_FALSE(locks_mounts(request));
  request.added_capabilities = capabilities("SYS_ADMIN");
  EXPECT_TRUE(locks_mounts(request));
  request.engine = EngineKind::chroot;
  EXPECT_FALSE(locks_mounts(request));
  RunRequest container;
  container.engine = EngineKind::lxc;
  EXPECT_TRUE(locks_mounts(container)) << "its init may mount";
}

TEST(GuestRightsTest, ProcessesAreLimitedUnlessAskedForOtherwise) {
  RunRequest request;
  EXPECT_EQ(planned_process_limit(request, HardLimits()), 4096U);
  request.limits = {{"nproc", RLIMIT_NPROC, 50}};
  EXPECT_EQ(planned_process_limit(request, HardLimits()), 50U);
  request.limits = {{"nproc", RLIMIT_NPROC, kUnlimited}};
  EXPECT_EQ(planned_process_limit(request, HardLimits()), kUnlimited);
  RunRequest maintained;
  maintained.engine = EngineKind::chroot;
  EXPECT_EQ(planned_process_limit(maintained, HardLimits()), kUnlimited);
}

}  // namespace
}  // namespace isolate
