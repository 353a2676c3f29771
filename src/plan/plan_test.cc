#include "plan/plan.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <algorithm>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

using Lines = std::vector<std::string>;
using test::must;

CapabilitySet capabilities(const char* list) { return must(CapabilitySet::parse(list)); }

class RunPlanTest : public ::testing::Test {
 protected:
  RunPlanTest() {
    request_.template_name = "t";
    request_.command = {"ls", "-l", "a b"};
  }
  RunPlan plan(const Caller& caller = {0, 0}) const {
    RunPlan plan;
    plan.clone_id = "t-abc";
    plan.root = {{"/store/templates/t/layers/1"}, "/store/clones/t-abc"};
    plan.ids.maps = {{{0, 1 << 30, 65536}}, {{0, 1 << 30, 65536}}};
    plan.ids.idmap_root = true;
    must(begin_plan(request_, caller, &plan));
    must(complete_plan(request_, caller, &plan));
    return plan;
  }
  // What is told about it, the lines that begin so.
  Lines lines(const std::string& beginning) const {
    auto all = describe(plan(), request_.engine);
    std::erase_if(all, [&](const std::string& line) { return !line.starts_with(beginning); });
    return all;
  }
  Lines mounts() const {
    auto all = lines("mount ");
    for (const auto& line : lines("bind ")) all.push_back(line);
    return all;
  }

  RunRequest request_;
};

const char* const kDevices = "mount devices on /dev (null zero full random urandom tty, pts, shm)";
const char* const kSys = "mount processors on /sys (the host's devices/system/cpu and node), read-only";
const char* const kTmp = "mount tmpfs on /tmp (mode 1777)";
const char* const kHome = "mount tmpfs on /home (mode 0755)";
const char* const kHosts = "mount hosts on /etc/hosts (localhost and the guest's name)";
const char* const kResolv = "bind /etc/resolv.conf on /etc/resolv.conf, read-only";

TEST_F(RunPlanTest, AGuestHasItsOwnDevSysAndTmp) { EXPECT_EQ(mounts(), (Lines{kDevices, kSys, kTmp, kHosts})); }

TEST_F(RunPlanTest, HomeIsEmptyMemoryWhereThatIsAskedFor) {
  request_.empty_home = true;
  EXPECT_EQ(mounts(), (Lines{kDevices, kSys, kTmp, kHome, kHosts}));
}

TEST_F(RunPlanTest, BindsComeLastAndInTheOrderGiven) {
  request_.binds = {{"/b", "/tmp/b", false}, {"/a", "/home/a", true}};
  EXPECT_EQ(mounts(), (Lines{kDevices, kSys, kTmp, kHosts, "bind /b on /tmp/b", "bind /a on /home/a, read-only"}));
}

TEST_F(RunPlanTest, WithTheHostsNetworkComesItsResolver) {
  request_.share_network = true;
  EXPECT_EQ(mounts(), (Lines{kDevices, kSys, kTmp, kHosts, kResolv}));
}

TEST_F(RunPlanTest, AContainerHasTheProcessorsToo) {
  request_.engine = EngineKind::lxc;
  EXPECT_EQ(mounts(), (Lines{kDevices, kSys, kTmp, kHosts}));
}

TEST_F(RunPlanTest, AChrootHasSysAndTheResolverToo) {
  request_.engine = EngineKind::chroot;
  EXPECT_EQ(mounts(), (Lines{kDevices, kTmp, kHosts, "bind /sys on /sys", kResolv}));
}

TEST_F(RunPlanTest, AHostsFileInMemoryTakesNoChangesWhereTheRootsOwnWouldKeepThem) {
  const std::string read_only = std::string(kHosts) + ", read-only";
  request_.keep = true;
  EXPECT_EQ(mounts(), (Lines{kDevices, kSys, kTmp, read_only}));
  request_.keep = false;
  request_.directory = "/srv/root";
  EXPECT_EQ(mounts(), (Lines{kDevices, kSys, kTmp, read_only}));
  request_.lasting = true;
  EXPECT_EQ(mounts(), (Lines{kDevices, kSys, kTmp}));
}

TEST_F(RunPlanTest, WhatAChrootChangesInHomeOfATemplateStays) {
  request_.engine = EngineKind::chroot;
  request_.template_name.clear();
  request_.directory = "/srv/root";
  EXPECT_EQ(mounts(), (Lines{kDevices, kTmp, "bind /sys on /sys", kResolv}));
  request_.directory.clear();
  request_.template_name = "t";
  request_.lasting = true;
  EXPECT_EQ(mounts(), (Lines{kDevices, kTmp, "bind /sys on /sys", kResolv}));
}

TEST_F(RunPlanTest, ARootThatIsAFileSystemIsNamedByWhatItIsMountedFrom) {
  RunPlan plan;
  plan.root = {{}, "", mount::FileSystem{"zfs", {{"source", "pool/deb_1"}}}};
  EXPECT_EQ(describe(plan, EngineKind::chroot).at(2), "root: file system zfs pool/deb_1 itself");
}

TEST_F(RunPlanTest, OfTheCallersEnvironmentOnlyTermIsSeen) {
  const test::ScopedVariable secret("AWS_SECRET_ACCESS_KEY", "x");
  const test::ScopedVariable path("PATH", "/evil");
  const test::ScopedVariable term("TERM", "vt100");
  EXPECT_EQ(plan().environment,
            (Lines{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "USER=root",
                   "LOGNAME=root", "SHELL=/bin/sh", "LANG=C.UTF-8", "container=isolate", "TERM=vt100"}));
  const test::ScopedVariable none("TERM", nullptr);
  EXPECT_EQ(plan().environment.back(), "container=isolate");
}

TEST_F(RunPlanTest, OfVariablesWithOneNameTheLastWins) {
  request_.environment = {"A=1", "HOME=/srv", "AB=2", "A=3"};
  const auto environment = plan().environment;
  EXPECT_EQ(std::count_if(environment.begin(), environment.end(), [](auto& v) { return v.starts_with("HOME="); }), 1);
  EXPECT_EQ(Lines(environment.end() - 3, environment.end()), (Lines{"HOME=/srv", "AB=2", "A=3"}));
}

TEST_F(RunPlanTest, CapabilitiesAreDroppedBeforeOthersAreAdded) {
  EXPECT_EQ(planned_capabilities(request_), CapabilitySet::docker_default());
  request_.dropped_capabilities = capabilities("ALL");
  request_.added_capabilities = capabilities("KILL");
  EXPECT_EQ(planned_capabilities(request_), capabilities("KILL"));
  request_.engine = EngineKind::chroot;
  request_.dropped_capabilities = capabilities("MKNOD");
  EXPECT_TRUE(planned_capabilities(request_).has(CAP_SYS_ADMIN));
  EXPECT_FALSE(planned_capabilities(request_).has(CAP_MKNOD));
}

TEST_F(RunPlanTest, TheCommandsWordsAreOnNoCommandLine) {
  request_.working_directory = "/srv";
  EXPECT_EQ(plan().init, (Lines{"/proc/self/fd/3", "/srv"}));
  EXPECT_EQ(plan().command, request_.command);
}

TEST_F(RunPlanTest, TheEngineGetsWhatWasAskedFor) {
  const auto program = plan().engine.program;
  ASSERT_FALSE(program.empty());
  const auto after = [&](const char* word) { return *(std::find(program.begin(), program.end(), word) + 1); };
  EXPECT_EQ(after("--hostname"), "t-abc");
  EXPECT_EQ(after("--chdir"), "/");
  EXPECT_EQ(after("--dev-bind"), "/run/isolate/stage/root");
  EXPECT_EQ(Lines(program.end() - 3, program.end()), (Lines{"--", "/proc/self/fd/3", "/"}));
  request_.engine = EngineKind::chroot;
  EXPECT_TRUE(plan().engine.program.empty());
}

TEST_F(RunPlanTest, AGuestThatCouldUnlockItsMountsGetsANamespaceBelow) {
  EXPECT_FALSE(plan().ids.nested);
  request_.added_capabilities = capabilities("SYS_ADMIN");
  EXPECT_TRUE(plan().ids.nested);
}

TEST_F(RunPlanTest, AUsersGuestHasANamespaceInWhichOnlyItsProcessesCount) {
  EXPECT_TRUE(plan({1000, 1000}).ids.nested);
  request_.limits = {{"nproc", RLIMIT_NPROC, kUnlimited}};
  EXPECT_FALSE(plan({1000, 1000}).ids.nested);
}

TEST_F(RunPlanTest, AnIsolatingEngineLimitsProcessesAndCoreDumps) {
  EXPECT_EQ(lines("limit: "), (Lines{"limit: core=1", "limit: nproc=4096"}));
  request_.limits = {{"nproc", RLIMIT_NPROC, 20}};
  EXPECT_EQ(plan().ids.process_limit, 20U);
  request_.limits.clear();
  request_.engine = EngineKind::chroot;
  EXPECT_TRUE(plan().limits.empty());
}

TEST_F(RunPlanTest, TheChrootEngineOfRootHasNoLimitOfProcesses) {
  request_.engine = EngineKind::chroot;
  request_.limits = {{"nproc", RLIMIT_NPROC, 20}};
  RunPlan refused;
  refused.root = {{"/layer"}, "/clone"};
  EXPECT_FALSE(begin_plan(request_, {}, &refused));
}

TEST_F(RunPlanTest, EachEngineHasAFilterUnlessThereIsToBeNone) {
  const auto usual = plan().filters;
  EXPECT_EQ(usual.size(), 1U);
  EXPECT_EQ(lines("seccomp: "), Lines{"seccomp: default"});
  request_.engine = EngineKind::chroot;
  EXPECT_EQ(plan().filters.size(), 1U);
  EXPECT_NE(plan().filters, usual);
  EXPECT_EQ(lines("seccomp: "), Lines{"seccomp: tty"});
  EXPECT_FALSE(plan().engine.no_new_privileges) << "it has CAP_SYS_ADMIN";
  request_.dropped_capabilities = capabilities("SYS_ADMIN");
  EXPECT_TRUE(plan().engine.no_new_privileges);
  request_.seccomp.kind = SeccompChoice::Kind::none;
  EXPECT_TRUE(plan().filters.empty());
}

TEST_F(RunPlanTest, TheFilterCanBeSwitchedOffByTheEnvironmentWhereNoneIsAskedFor) {
  const test::ScopedVariable disabled("DISABLE_SECCOMP_WRAPPER", "1");
  EXPECT_TRUE(plan().filters.empty());
  request_.seccomp.kind = SeccompChoice::Kind::terminal;
  EXPECT_EQ(plan().filters.size(), 1U);
}

TEST_F(RunPlanTest, OnlyAClonesThatNobodyKeepsIsThrownAway) {
  EXPECT_TRUE(plan().throw_away);
  request_.keep = true;
  EXPECT_FALSE(plan().throw_away);
  request_.keep = false;
  request_.lasting = true;
  EXPECT_FALSE(plan().throw_away);
}

TEST_F(RunPlanTest, AReadOnlyRunMakesNothingInADirectoryItself) {
  EXPECT_TRUE(plan().may_create_targets);
  request_.read_only = true;
  EXPECT_TRUE(plan().read_only_root);
  EXPECT_TRUE(plan().may_create_targets) << "in a clone that is thrown away";
  request_.template_name.clear();
  request_.directory = "/srv/root";
  EXPECT_FALSE(plan().may_create_targets);
}

TEST_F(RunPlanTest, TheStageOfAUserIsWhereHeMayMount) { EXPECT_EQ(plan({1000, 1000}).stage, "/tmp"); }

TEST_F(RunPlanTest, TheDescriptionTellsEverything) {
  request_.read_only = true;
  request_.environment = {"A=b\033[2J"};
  EXPECT_EQ(lines("engine: "), Lines{"engine: bwrap"});
  EXPECT_EQ(lines("clone: "), Lines{"clone: t-abc"});
  EXPECT_EQ(lines("root: "),
            (Lines{"root: layer /store/templates/t/layers/1", "root: changes in /store/clones/t-abc/upper",
                   "root: read-only", "root: id-mapped, on disk as inside"}));
  EXPECT_EQ(lines("user ids: "), Lines{"user ids: 0 1073741824 65536"});
  EXPECT_EQ(lines("group ids: "), Lines{"group ids: 0 1073741824 65536"});
  EXPECT_EQ(lines("capability: ").size(), 14U);
  EXPECT_EQ(lines("environment: A"), Lines{"environment: A=b\\x1b[2J"});
  EXPECT_EQ(lines("directory: "), Lines{"directory: /"});
  EXPECT_EQ(lines("confine: ").size(), 1U);
  EXPECT_EQ(lines("command: "), Lines{"command: ls -l 'a b'"});
}

TEST_F(RunPlanTest, TheDescriptionOfARunOnADirectorySaysSo) {
  RunPlan plan;
  plan.root = {{}, "/srv/root"};
  plan.ids.new_namespace = false;
  const auto told = describe(plan, EngineKind::chroot);
  EXPECT_EQ(std::count(told.begin(), told.end(), "root: directory /srv/root itself"), 1);
  EXPECT_EQ(std::count(told.begin(), told.end(), "user ids: the host's own"), 1);
}

TEST_F(RunPlanTest, TheDescriptionHasNoControlBytes) {
  request_.binds = {{"/a\033[2J", "/b\nroot: read-only", false}};
  request_.command = {"ls\033[2J"};
  for (const auto& line : describe(plan(), request_.engine)) {
    EXPECT_TRUE(std::none_of(line.begin(), line.end(), [](char c) { return c >= 0 && c < ' '; })) << line;
  }
}

TEST_F(RunPlanTest, AFilterKeptByTheFirstRunDoesNotCloseTheDirectoryToGuests) {
  REQUIRE_ROOT();
  request_.dropped_capabilities = capabilities("CHOWN");  // takes a filter of its own, which is kept
  test::in_private_mounts([&]() -> Result<void> {
    if (::mount("tmpfs", "/run", "tmpfs", 0, nullptr) != 0) return fail(errno, "mount");
    plan();
    TRY(status_of(AT_FDCWD, "/run/isolate/seccomp"));
    return test::verify((TRY(status_of(AT_FDCWD, "/run/isolate")).st_mode & 07777) == 0755, "its mode is 0755");
  });
}

TEST(PlanTest, MountsAreLockedForWhoeverMayMount) {
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

TEST(PlanTest, ProcessesAreLimitedUnlessAskedForOtherwise) {
  RunRequest request;
  EXPECT_LE(planned_process_limit(request), 4096U);
  request.limits = {{"nproc", RLIMIT_NPROC, 50}};
  EXPECT_EQ(planned_process_limit(request), 50U);
  request.limits = {{"nproc", RLIMIT_NPROC, kUnlimited}};
  EXPECT_EQ(planned_process_limit(request), kUnlimited);
  RunRequest maintained;
  maintained.engine = EngineKind::chroot;
  EXPECT_EQ(planned_process_limit(maintained), kUnlimited);
}

}  // namespace
}  // namespace isolate
