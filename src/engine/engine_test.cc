#include "engine/engine.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>

#include <algorithm>
#include <cstdint>

#include "base/testing.h"

namespace isolate {
namespace {

using Words = std::vector<std::string>;

EngineRequest request() {
  EngineRequest request;
  request.program = "/usr/bin/bwrap";
  request.root = "/run/isolate/stage/root";
  request.host_name = "t-abc";
  request.capabilities = test::must(CapabilitySet::parse("CHOWN,KILL"));
  request.covered_files = {"/proc/keys", "/proc/key-users"};
  request.init = {"/proc/self/fd/3", "/srv", "ls", "-l", "--", "a b"};
  return request;
}

TEST(BwrapTest, TheCommandLineIsAsExpected) {
  const auto plan = plan_bwrap(request());
  EXPECT_EQ(plan.program, (Words{"/usr/bin/bwrap",
                                 "--die-with-parent",
                                 "--as-pid-1",
                                 "--unshare-pid",
                                 "--unshare-ipc",
                                 "--unshare-uts",
                                 "--unshare-cgroup",
                                 "--hostname",
                                 "t-abc",
                                 "--dev-bind",
                                 "/run/isolate/stage/root",
                                 "/",
                                 "--proc",
                                 "/proc",
                                 "--chdir",
                                 "/",
                                 "--dev-bind",
                                 "/dev/null",
                                 "/proc/keys",
                                 "--dev-bind",
                                 "/dev/null",
                                 "/proc/key-users",
                                 "--cap-drop",
                                 "ALL",
                                 "--cap-add",
                                 "CAP_CHOWN",
                                 "--cap-add",
                                 "CAP_KILL",
                                 "--cap-add",
                                 "CAP_SETPCAP",
                                 "--",
                                 "/proc/self/fd/3",
                                 "/srv",
                                 "ls",
                                 "-l",
                                 "--",
                                 "a b"}));
  EXPECT_TRUE(plan.no_new_privileges);
}

TEST(BwrapTest, WhatControlsTheMachineIsReadOnlyForAGuestThatCouldChangeIt) {
  const auto count = [](const EnginePlan& plan) {
    return std::count(plan.program.begin(), plan.program.end(), "/proc/sys/kernel");
  };
  auto shares = request();
  EXPECT_EQ(count(plan_bwrap(shares)), 0);
  shares.shares_settings = true;
  EXPECT_EQ(count(plan_bwrap(shares)), 2);
}

TEST(BwrapTest, TheLauncherMakesTheNetworkNamespaceUnlessTheHostsIsShared) {
  auto shared = request();
  shared.share_network = true;
  const auto own = plan_bwrap(request());
  const auto hosts = plan_bwrap(shared);
  EXPECT_TRUE(own.own_network);
  EXPECT_FALSE(hosts.own_network);
  EXPECT_EQ(own.program, hosts.program);
}

TEST(BwrapTest, IsolateInitKeepsSetpcapEvenWithoutOtherCapabilities) {
  auto none = request();
  none.capabilities = CapabilitySet::none();
  const auto program = plan_bwrap(none).program;
  EXPECT_EQ(std::count(program.begin(), program.end(), "--cap-add"), 1);
  EXPECT_EQ(*(std::find(program.begin(), program.end(), "--cap-add") + 1), "CAP_SETPCAP");
}

TEST(BwrapTest, TheCommandStandsAfterADoubleDashSoThatItCanNotAddOptions) {
  auto hostile = request();
  hostile.init = {"/proc/self/fd/3", "/", "--share-net"};
  const auto program = plan_bwrap(hostile).program;
  const auto end = std::find(program.begin(), program.end(), "--");
  EXPECT_EQ(Words(end + 1, program.end()), hostile.init);
}

TEST(BwrapTest, DefaultCapabilitiesAreThoseOfDocker) {
  EXPECT_EQ(bwrap_capabilities(), CapabilitySet::docker_default());
}

TEST(LxcTest, TheInitOfASystemCanNotTraceTheProcessesAttachedToIt) {
  const auto init = lxc_system_capabilities();
  EXPECT_FALSE(init.has(CAP_SYS_PTRACE));
  auto beyond_a_command = init;
  beyond_a_command.drop(lxc_capabilities());
  EXPECT_EQ(beyond_a_command.names(), (Words{"CAP_NET_ADMIN", "CAP_SYS_ADMIN"}));
}

TEST(NativeTest, TheGuestHasTheNamespacesThatBwrapMakes) {
  const auto plan = plan_native(request());
  EXPECT_TRUE(plan.program.empty());
  EXPECT_EQ(plan.own.namespaces, std::uint64_t{CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP});
  EXPECT_EQ(plan.own.host_name, "t-abc");
  EXPECT_TRUE(plan.own_network);
  auto shared = request();
  shared.share_network = true;
  EXPECT_FALSE(plan_native(shared).own_network);
}

TEST(NativeTest, TheGuestIsConfinedAsWithBwrap) {
  const auto plan = plan_native(request());
  EXPECT_TRUE(plan.no_new_privileges);
  EXPECT_TRUE(plan.own.no_setuid);
  EXPECT_TRUE(plan.own.closes_settings);
  EXPECT_EQ(plan.own.covered_files, (Words{"/proc/keys", "/proc/key-users"}));
  EXPECT_EQ(native_capabilities(), bwrap_capabilities());
}

TEST(ChrootTest, TheLauncherItselfEntersTheRootWithAllCapabilities) {
  const auto plan = plan_chroot(request());
  EXPECT_TRUE(plan.program.empty());
  EXPECT_EQ(plan.own.host_name, "") << "it keeps the host's";
  EXPECT_FALSE(plan.no_new_privileges) << "maintaining a template needs setuid programs";
  EXPECT_EQ(chroot_capabilities(), CapabilitySet::all());
}

}  // namespace
}  // namespace isolate
