#include "launch/hooks.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/held_signals.h"
#include "linux/process.h"
#include "store/overlay_store.h"

namespace isolate {
namespace {

using test::must;
using test::read_text;
using test::verify;

// A hook on a clone of template t of a store below `scratch`, as the user who runs this.
class HookedClone {
 public:
  explicit HookedClone(const std::string& scratch)
      : scratch_(scratch), owner_(Caller::current()), store_(must(OverlayStore::open(scratch + "/store", &owner_))) {
    test::add_template(store_, "t");
    const auto generation = must(store_.newest_generation("t"));
    must(store_.make_clone(generation, "t-c"));
    plan_.root = must(store_.clone_root(generation, "t-c"));
  }

  Result<void> run(const std::string& command) {
    return run_hook("PRE_SPAWN_HOOK", command, plan_, owner_.caller(), {TRY(owner_.descriptor()), -1},
                    scratch_ + "/stage");
  }
  std::string upper(const std::string& name) const { return store_.clone_location("t-c") + "/" + name; }
  std::string layer(const std::string& name) const { return plan_.root.lower[0] + "/" + name; }
  RunPlan& plan() { return plan_; }
  const std::string& scratch() const { return scratch_; }

 private:
  std::string scratch_;
  OwnerNamespace owner_;
  OverlayStore store_;
  RunPlan plan_;
};

class HookTest : public ::testing::Test {
 protected:
  void SetUp() override { REQUIRE_ROOT(); }
  test::TempDirectory directory_;
};

TEST_F(HookTest, WhatItWritesIsInTheCloneAlone) {
  HookedClone clone(directory_.path());
  test::expect_success(clone.run("test -e \"$ROOTFS/etc/issue\" && echo changed >\"$ROOTFS/etc/issue\""));
  EXPECT_EQ(read_text(clone.upper("etc/issue")), "changed\n");
  EXPECT_EQ(read_text(clone.layer("etc/issue")), "etc/issue");
}

TEST_F(HookTest, ASecondOneSeesWhatTheFirstDid) {
  HookedClone clone(directory_.path());
  test::expect_success(clone.run("mkdir \"$ROOTFS/made\""));
  test::expect_success(clone.run("rmdir \"$ROOTFS/made\" && rm \"$ROOTFS/etc/issue\""));
  test::expect_success(clone.run("test ! -e \"$ROOTFS/made\" && test ! -e \"$ROOTFS/etc/issue\""));
}

TEST_F(HookTest, ItsMountsAreNotTheHosts) {
  HookedClone clone(directory_.path());
  test::expect_success(clone.run("grep -q \"$ROOTFS\" /proc/self/mountinfo"));
  EXPECT_EQ(must(read_file("/proc/self/mountinfo")).find(directory_.path()), std::string::npos);
}

TEST_F(HookTest, ACloneThatIsAFileSystemIsMountedForItAlone) {
  RunPlan plan;
  plan.root = {{}, "", mount::FileSystem{"tmpfs", {{"source", "a-clone"}, {"mode", "0755"}}}};
  const std::string command =
      "echo changed >\"$ROOTFS/file\" && grep -q \" $ROOTFS .* a-clone \" /proc/self/mountinfo && "
      "! grep a-clone /proc/$PPID/mountinfo";
  test::expect_success(run_hook("PRE_SPAWN_HOOK", command, plan, Caller::current(), {}, directory_ / "stage"));
  EXPECT_EQ(must(read_file("/proc/self/mountinfo")).find("a-clone"), std::string::npos);
}

TEST_F(HookTest, OnADirectoryItselfRootfsIsThatDirectory) {
  RunPlan plan;
  plan.root = {{}, directory_.path()};
  const test::ScopedVariable other("ROOTFS", "/somewhere/else");
  test::expect_success(
      run_hook("PRE_SPAWN_HOOK", "echo \"$ROOTFS\" >\"$ROOTFS/told\"", plan, Caller::current(), {}, "/nonexistent"));
  EXPECT_EQ(read_text(directory_ / "told"), directory_.path() + "\n");
}

TEST_F(HookTest, AFailureIsNamed) {
  HookedClone clone(directory_.path());
  EXPECT_EQ(test::message_of(clone.run("exit 3")), "PRE_SPAWN_HOOK ended with exit status 3");
  EXPECT_EQ(test::message_of(clone.run("kill -TERM $$")), "PRE_SPAWN_HOOK ended with signal 15");
  EXPECT_EQ(test::message_of(clone.run("nonsense-command 2>/dev/null")), "PRE_SPAWN_HOOK ended with exit status 127");
}

TEST_F(HookTest, ItRunsWhereTheCallerIsAndWithHisEnvironment) {
  const test::ScopedVariable variable("ISOLATE_TEST_VARIABLE", "seen");
  HookedClone clone(directory_.path());
  test::in_child([&]() -> Result<void> {
    if (::chdir("/usr/share") != 0) return fail(errno, "chdir");
    return clone.run("test \"$(pwd)\" = /usr/share && test \"$ISOLATE_TEST_VARIABLE\" = seen");
  });
}

TEST_F(HookTest, ItHasTheCallersInputAndNoOtherDescriptor) {
  HookedClone clone(directory_.path());
  test::write_text(directory_ / "input", "from the caller\n");
  const Fd inherited(::fcntl(STDERR_FILENO, F_DUPFD, 60));
  test::in_child([&]() -> Result<void> {
    const auto input = TRY(open_file(AT_FDCWD, directory_ / "input", O_RDONLY));
    if (::dup2(input.get(), STDIN_FILENO) < 0) return fail(errno, "dup2");
    return clone.run("read -r line && test \"$line\" = 'from the caller' && test ! -e /proc/self/fd/60");
  });
}

TEST_F(HookTest, SignalsArePassedOnToIt) {
  HookedClone clone(directory_.path());
  test::in_child([&]() -> Result<void> {
    hold_signals();
    const auto started = directory_ / "started";
    const pid_t caller = ::getpid();
    auto sender = TRY(fork_child(0, [&] {
      while (!test::exists(started)) ::usleep(1000);
      return ::kill(caller, SIGTERM);
    }));
    const auto outcome = clone.run("trap 'exit 7' TERM; : >'" + started + "'; while :; do sleep 0.05; done");
    return verify(test::message_of(outcome) == "PRE_SPAWN_HOOK ended with exit status 7", test::message_of(outcome));
  });
}

TEST_F(HookTest, RootKeepsTheIdsOfTheHost) {
  HookedClone clone(directory_.path());
  test::expect_success(clone.run("touch \"$ROOTFS/made\" && chown 33:33 \"$ROOTFS/made\""));
  EXPECT_EQ(must(status_of(AT_FDCWD, clone.upper("made"))).st_uid, 33U);
}

TEST_F(HookTest, AUserIsRootOverHisClone) {
  test::as_pretended_user({}, [](const std::string& scratch) -> Result<void> {
    HookedClone clone(scratch);
    TRY_VOID(clone.run("test \"$(id -u)\" = 0 && touch \"$ROOTFS/made\" && chown 33:33 \"$ROOTFS/made\""));
    return verify(TRY(status_of(AT_FDCWD, clone.upper("made"))).st_uid == 300032, "id 33 inside");
  });
}

}  // namespace
}  // namespace isolate
