#include "plan/plan.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>

#include <algorithm>

#include "base/testing.h"

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
    root_.id = "t-abc";
    root_.source = {{"/store/templates/t/layers/1"}, "/store/clones/t-abc"};
    facts_.ids.range = 1U << 30;
    facts_.engine_program = "/usr/bin/bwrap";
    facts_.standard_terminals = 3;
    facts_.has_controlling_terminal = true;
    facts_.seccomp.kind = SeccompChoice::Kind::standard;
    facts_.filters = {"filter"};
  }
  // make_plan() works on plain values, so this needs neither root nor a template.
  Result<RunPlan> try_plan() const {
    AcquiredRoot root = root_;
    if (!request_.directory.empty()) root.source = {{}, request_.directory};
    root.template_name = request_.template_name;
    return make_plan(request_, root, facts_);
  }
  RunPlan plan() const { return must(try_plan()); }
  // The same for an ordinary user.
  RunPlan plan_of_user() {
    facts_.caller = {1000, 1000};
    facts_.ids = {};
    facts_.ids.owned.maps = {{{0, 1000, 1}, {1, 100000, 65536}}, {{0, 1000, 1}, {1, 100000, 65536}}};
    facts_.ids.owned.writer = MapWriter::newuidmap;
    return plan();
  }
  // The lines of the plan's description that begin with `beginning`.
  Lines lines(const std::string& beginning) const {
    auto all = describe(plan());
    std::erase_if(all, [&](const std::string& line) { return !line.starts_with(beginning); });
    return all;
  }
  Lines mounts() const {
    auto all = lines("mount ");
    for (const auto& line : lines("bind ")) all.push_back(line);
    return all;
  }

  RunRequest request_;
  AcquiredRoot root_;
  CallerFacts facts_;
};

const char* const kDevices = "mount devices on /dev (null zero full random urandom tty, pts, shm)";
const char* const kSys = "mount processors on /sys (the host's devices/system/cpu and node), read-only";
const char* const kTmp = "mount tmpfs on /tmp (mode 1777)";
const char* const kHome = "mount tmpfs on /home (mode 0755)";
const char* const kHosts = "mount hosts on /etc/hosts (localhost and the guest's name)";
const char* const kResolv = "bind /etc/resolv.conf on /etc/resolv.conf, read-only";

TEST_F(RunPlanTest, AGuestHasItsOwnDevSysAndTmp) { EXPECT_EQ(mounts(), (Lines{kDevices, kTmp, kSys, kHosts})); }

TEST_F(RunPlanTest, HomeIsEmptyMemoryWhereThatIsAskedFor) {
  request_.empty_home = true;
  EXPECT_EQ(mounts(), (Lines{kDevices, kTmp, kHome, kSys, kHosts}));
}

TEST_F(RunPlanTest, SharesThatWereLookedUpComeBeforeBindsAndTheirVariablesBeforeTheUsers) {
  RootMount socket{MountKind::bind, "/tmp/socket", "/run/socket", false};
  facts_.shares.mounts = {socket};
  facts_.shares.environment = {"DISPLAY=:7", "HOME=/home/a"};
  facts_.shares.warnings = {"a warning"};
  request_.binds = {{"/srv", "/srv", false}};
  request_.environment = {"DISPLAY=:8"};
  EXPECT_EQ(lines("bind "), (Lines{"bind /run/socket on /tmp/socket", "bind /srv on /srv"}));
  EXPECT_EQ(lines("environment: DISPLAY"), Lines{"environment: DISPLAY=:8"});
  EXPECT_EQ(lines("environment: HOME"), Lines{"environment: HOME=/home/a"});
  EXPECT_EQ(plan().warnings, Lines{"a warning"});
}

TEST_F(RunPlanTest, BindsComeLastAndInTheOrderGiven) {
  request_.binds = {{"/b", "/tmp/b", false}, {"/a", "/home/a", true}};
  EXPECT_EQ(mounts(), (Lines{kDevices, kTmp, kSys, kHosts, "bind /b on /tmp/b", "bind /a on /home/a, read-only"}));
}

TEST_F(RunPlanTest, WithTheHostsNetworkComesItsResolver) {
  request_.share_network = true;
  EXPECT_EQ(mounts(), (Lines{kDevices, kTmp, kSys, kHosts, kResolv}));
}

TEST_F(RunPlanTest, AContainerHasTheProcessorsToo) {
  request_.engine = EngineKind::lxc;
  EXPECT_EQ(mounts(), (Lines{kDevices, kTmp, kSys, kHosts}));
}

TEST_F(RunPlanTest, AChrootHasSysAndTheResolverToo) {
  request_.engine = EngineKind::chroot;
  EXPECT_EQ(mounts(), (Lines{kDevices, kTmp, kHosts, "bind /sys on /sys", kResolv}));
}

TEST_F(RunPlanTest, AHostsFileInMemoryTakesNoChangesWhereTheRootsOwnWouldKeepThem) {
  const std::string read_only = std::string(kHosts) + ", read-only";
  request_.keep = true;
  EXPECT_EQ(mounts(), (Lines{kDevices, kTmp, kSys, read_only}));
  request_.keep = false;
  request_.directory = "/srv/root";
  EXPECT_EQ(mounts(), (Lines{kDevices, kTmp, kSys, read_only}));
  request_.lasting = true;
  EXPECT_EQ(mounts(), (Lines{kDevices, kTmp, kSys}));
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
  EXPECT_EQ(describe(plan).at(2), "root: file system zfs pool/deb_1 itself");
}

TEST_F(RunPlanTest, OfTheCallersEnvironmentOnlyTermIsSeen) {
  const test::ScopedVariable secret("AWS_SECRET_ACCESS_KEY", "x");
  const test::ScopedVariable path("PATH", "/evil");
  facts_.term = "vt100";
  EXPECT_EQ(plan().environment,
            (Lines{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "USER=root",
                   "LOGNAME=root", "SHELL=/bin/sh", "LANG=C.UTF-8", "container=isolate", "TERM=vt100"}));
  facts_.term.reset();
  EXPECT_EQ(plan().environment.back(), "container=isolate");
}

TEST_F(RunPlanTest, OfVariablesWithOneNameTheLastWins) {
  request_.environment = {"A=1", "HOME=/srv", "AB=2", "A=3"};
  const auto environment = plan().environment;
  EXPECT_EQ(std::count_if(environment.begin(), environment.end(), [](auto& v) { return v.starts_with("HOME="); }), 1);
  EXPECT_EQ(Lines(environment.end() - 3, environment.end()), (Lines{"HOME=/srv", "AB=2", "A=3"}));
}

TEST_F(RunPlanTest, TheCommandsWordsAreOnNoCommandLine) {
  request_.working_directory = "/srv";
  EXPECT_EQ(plan().init, (Lines{"/proc/self/fd/3"}));
  EXPECT_EQ(plan().command, request_.command);
}

TEST_F(RunPlanTest, TheEngineGetsWhatWasAskedFor) {
  const auto program = plan().engine.program;
  ASSERT_FALSE(program.empty());
  const auto after = [&](const char* word) { return *(std::find(program.begin(), program.end(), word) + 1); };
  EXPECT_EQ(after("--hostname"), "t-abc");
  EXPECT_EQ(after("--chdir"), "/");
  EXPECT_EQ(after("--dev-bind"), "/run/isolate/stage/root");
  EXPECT_EQ(Lines(program.end() - 2, program.end()), (Lines{"--", "/proc/self/fd/3"}));
  request_.engine = EngineKind::chroot;
  EXPECT_TRUE(plan().engine.program.empty());
}

TEST_F(RunPlanTest, AGuestThatCouldUnlockItsMountsGetsANamespaceBelow) {
  EXPECT_FALSE(plan().ids.nested);
  request_.added_capabilities = capabilities("SYS_ADMIN");
  EXPECT_TRUE(plan().ids.nested);
}

TEST_F(RunPlanTest, AUsersGuestHasANamespaceInWhichOnlyItsProcessesCount) {
  EXPECT_TRUE(plan_of_user().ids.nested);
  request_.limits = {{"nproc", RLIMIT_NPROC, kUnlimited}};
  EXPECT_FALSE(plan_of_user().ids.nested);
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
  EXPECT_FALSE(try_plan());
}

TEST_F(RunPlanTest, AUserOfTheGuestStartsInTheirHomeAndHasNoCapabilities) {
  EXPECT_EQ(plan().working_directory, "/");
  facts_.shares.user = GuestUser{"ada", 1000, 1001, "/home/ada"};
  facts_.shares.environment = {"HOME=/home/ada"};
  const auto plan = plan_of_user();
  EXPECT_TRUE(has_own_user(plan));
  EXPECT_EQ(plan.working_directory, "/home/ada");
  EXPECT_EQ(lines("user: "), Lines{"user: ada (1000:1001), home /home/ada"});
  EXPECT_EQ(lines("environment: HOME="), Lines{"environment: HOME=/home/ada"});
  EXPECT_EQ(lines("capability: "), Lines{});
  request_.working_directory = "/srv";
  EXPECT_EQ(this->plan().working_directory, "/srv");
}

TEST_F(RunPlanTest, IsolateInitKeepsTheCapabilityToMapAUser) {
  request_.dropped_capabilities = capabilities("ALL");
  const auto has_setfcap = [](const RunPlan& plan) {
    const auto& words = plan.engine.program;
    return std::find(words.begin(), words.end(), "CAP_SETFCAP") != words.end();
  };
  EXPECT_FALSE(has_setfcap(plan_of_user()));
  facts_.shares.user = GuestUser{"root", 0, 0, "/root"};
  EXPECT_FALSE(has_setfcap(plan()));
  facts_.shares.user = GuestUser{"ada", 1000, 1001, "/home/ada"};
  EXPECT_TRUE(has_setfcap(plan()));
}

TEST_F(RunPlanTest, AFilterNeedsNoNewPrivilegesWhereTheGuestMayNotDoWithout) {
  request_.engine = EngineKind::chroot;
  EXPECT_EQ(plan().filters, facts_.filters);
  EXPECT_FALSE(plan().engine.no_new_privileges) << "it has CAP_SYS_ADMIN";
  request_.dropped_capabilities = capabilities("SYS_ADMIN");
  EXPECT_TRUE(plan().engine.no_new_privileges);
  facts_.filters.clear();
  EXPECT_FALSE(plan().engine.no_new_privileges);
}

TEST_F(RunPlanTest, TheFirstProcessComesToBeAsTheEngineAndTheRightsOfTheCallerNeed) {
  EXPECT_EQ(plan().start, EngineStart::replaces_launcher);
  request_.engine = EngineKind::lxc;
  EXPECT_EQ(plan().start, EngineStart::is_child) << "it mounts a /proc of its own";
  for (const auto engine : {EngineKind::native, EngineKind::chroot}) {
    request_.engine = engine;
    EXPECT_EQ(plan().start, EngineStart::enters_root);
  }
  request_.engine = EngineKind::bwrap;
  facts_.ids.range.reset();
  facts_.ids.roots_own = IdMaps{{{0, 0, 65536}}, {{0, 0, 65536}}};
  EXPECT_EQ(plan().start, EngineStart::is_child) << "root of a container has no rights over other ids";
  EXPECT_EQ(plan_of_user().start, EngineStart::is_child);
}

TEST_F(RunPlanTest, WhatTheDaemonHasDecidedCounts) {
  facts_.caller = {1000, 1000};
  root_.maps = IdMaps{{{0, 1U << 30, 65536}}, {{0, 1U << 30, 65536}}};
  root_.read_only = true;
  root_.warnings = {"the root is read-only"};
  EXPECT_EQ(plan().ids.maps, *root_.maps);
  EXPECT_TRUE(plan().ids.is_leased);
  EXPECT_TRUE(plan().ids.nested) << "its processes are counted in a namespace that isolate makes";
  EXPECT_TRUE(plan().read_only_root);
  EXPECT_FALSE(plan().may_create_targets);
  EXPECT_EQ(plan().warnings, root_.warnings);
  root_.has_namespace_below = false;
  EXPECT_FALSE(plan().ids.nested);
}

TEST_F(RunPlanTest, TheGuestLeadsAProcessGroupUnlessItSharesTheCallersTerminal) {
  EXPECT_FALSE(plan().own_group);
  facts_.standard_terminals = 0;
  EXPECT_TRUE(plan().own_session && plan().own_group) << "none of its streams is the terminal";
  facts_.standard_terminals = 1;
  facts_.has_controlling_terminal = false;
  EXPECT_TRUE(!plan().own_session && plan().own_group);
  facts_.has_controlling_terminal = true;
  request_.own_terminal = true;
  EXPECT_TRUE(plan().own_group);
}

TEST_F(RunPlanTest, TheLimitsOfTheGuestAreThoseAvailable) {
  facts_.group_limits.memory = 1 << 20;
  facts_.control_group = "below the own one";
  EXPECT_EQ(plan().group_limits, facts_.group_limits);
  EXPECT_EQ(lines("control group: "), Lines{"control group: below the own one"});
}

TEST_F(RunPlanTest, ALimitAboveTheCallersHardOneIsRefused) {
  facts_.hard_limits.most[RLIMIT_NOFILE] = 1000;
  request_.limits = {{"nofile", RLIMIT_NOFILE, 1000}};
  EXPECT_TRUE(try_plan());
  request_.limits = {{"nofile", RLIMIT_NOFILE, 1001}};
  EXPECT_EQ(test::message_of(try_plan()),
            "ulimit nofile=1001: your own hard limit is 1000, and only root can raise it");
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

TEST_F(RunPlanTest, TheStageOfAUserIsWhereTheyMayMount) { EXPECT_EQ(plan_of_user().stage, "/tmp"); }

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
  const auto told = describe(plan);
  EXPECT_EQ(std::count(told.begin(), told.end(), "root: directory /srv/root itself"), 1);
  EXPECT_EQ(std::count(told.begin(), told.end(), "user ids: the host's own"), 1);
}

TEST_F(RunPlanTest, TheDescriptionHasNoControlBytes) {
  request_.binds = {{"/a\033[2J", "/b\nroot: read-only", false}};
  request_.command = {"ls\033[2J"};
  for (const auto& line : describe(plan())) {
    EXPECT_TRUE(std::none_of(line.begin(), line.end(), [](char c) { return c >= 0 && c < ' '; })) << line;
  }
}

}  // namespace
}  // namespace isolate
