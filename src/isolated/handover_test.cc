#include "isolated/handover.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include <cstdint>

#include "isolated/handover_testing.h"

namespace isolate {
namespace {

using test::fails_with;
using test::must;
using test::succeeded;

TEST_F(HandoverTest, FlagsOfACompleteRootAreLocked) {
  EXPECT_TRUE(succeeded(inside([this](const Peer& peer) -> Result<void> {
    const auto prepared = TRY(prepare(peer, plain()));
    TRY_VOID(become_root());
    const std::string root = "/run/isolate/stage/root";
    TRY_VOID(expect_error(clear(root, MOUNT_ATTR_NODEV), EPERM, "clearing a flag"));
    return expect_error(::umount2(root.c_str(), 0) == 0 ? Result<void>() : fail(errno, "umount"), EINVAL, "umount");
  })));
}

TEST_F(HandoverTest, ThePreparingProcessStillDiesWithTheDaemon) {
  for (const auto& root : {overlay(), plain(), file_system()}) {
    EXPECT_TRUE(succeeded(inside([&](const Peer& peer) -> Result<void> {
      die_with_parent();
      int signal = 0;
      TRY(PendingUserNamespace::start(member_maps(peer, kBase, false), MapWriter::direct, {UINT64_MAX, peer.uid}));
      if (::prctl(PR_GET_PDEATHSIG, &signal) != 0 || signal != SIGKILL)
        return fail("the death signal is gone after making the namespace");
      TRY(prepare(peer, root));
      if (::prctl(PR_GET_PDEATHSIG, &signal) != 0 || signal != SIGKILL)
        return fail("the death signal is gone after the handover");
      return {};
    })));
  }
}

TEST_F(HandoverTest, AnOverlaysRootIsMountedWithoutItsLayers) {
  EXPECT_TRUE(succeeded(inside([this](const Peer& peer) -> Result<void> {
    const auto prepared = TRY(prepare(peer, overlay()));
    TRY_VOID(become_root());
    if (!test::names_below("/run/isolate/stage/parts").empty()) return fail("the layers are visible");
    const auto mounts = TRY(read_file("/proc/self/mountinfo"));
    if (mounts.find("/layer") != std::string::npos) return fail("the layer is mounted: " + mounts);
    const std::string root = "/run/isolate/stage/root";
    if (TRY(read_file(root + "/file")) != "of the template") return fail("the layer's file is not in the root");
    // Unmount the root: nothing may be hidden below it.
    if (::umount2(root.c_str(), MNT_DETACH) != 0) return fail(errno, "umount");
    return test::verify(test::names_below("/run/isolate/stage").size() == 3, "something was below the root");
  })));
  EXPECT_EQ(test::read_text(directory_ / "layer/file"), "of the template");
}

TEST_F(HandoverTest, FilesInAnOverlayHaveTheSameOwnersOnDiskAsInside) {
  EXPECT_TRUE(succeeded(inside([this](const Peer& peer) -> Result<void> {
    const auto prepared = TRY(prepare(peer, overlay()));
    TRY_VOID(become_root());
    const std::string root = "/run/isolate/stage/root/";
    for (const char* name : {"mine", "other"}) {
      TRY(open_file(AT_FDCWD, root + name, O_CREAT | O_WRONLY, 0600));
    }
    if (::chown((root + "other").c_str(), 65535, 33) != 0) return fail(errno, "chown");
    if (::chown((root + "file").c_str(), 33, 33) != 0) return fail(errno, "chown of the template's file");
    return {};
  })));
  const auto mine = must(status_of(AT_FDCWD, directory_ / "clone/upper/mine"));
  EXPECT_EQ(mine.st_uid, 0U);
  const auto other = must(status_of(AT_FDCWD, directory_ / "clone/upper/other"));
  EXPECT_EQ(other.st_uid, 65535U);
  EXPECT_EQ(other.st_gid, 33U);
  EXPECT_EQ(must(status_of(AT_FDCWD, directory_ / "layer/file")).st_uid, 0U);
  EXPECT_EQ(must(status_of(AT_FDCWD, directory_ / "clone/upper/file")).st_uid, 33U);
}

TEST_F(HandoverTest, ThePreparingProcessHasNoIdOfTheMemberAndCanNotBeTraced) {
  EXPECT_TRUE(succeeded(inside([this](const Peer& peer) -> Result<void> {
    const auto prepared = TRY(prepare(peer, overlay()));
    const auto status = TRY(read_file("/proc/self/status"));
    TRY_VOID(test::verify(status.find("\nUid:\t65534\t65534\t65534\t65534\n") != std::string::npos, status));
    return test::verify(::prctl(PR_GET_DUMPABLE) == 0, "not dumpable");
  })));
}

TEST_F(HandoverTest, ACompleteRootIsMountedItself) {
  EXPECT_TRUE(succeeded(inside([this](const Peer& peer) -> Result<void> {
    const auto prepared = TRY(prepare(peer, plain()));
    if (prepared.handover.read_only) return fail("read-only");
    TRY_VOID(become_root());
    TRY(open_file(AT_FDCWD, "/run/isolate/stage/root/new", O_CREAT | O_WRONLY, 0600));
    return {};
  })));
  EXPECT_TRUE(test::exists(directory_ / "plain/new"));
}

TEST_F(HandoverTest, ACloneWithItsOwnFileSystemIsMountedOnlyInTheLease) {
  EXPECT_TRUE(succeeded(inside([](const Peer& peer) -> Result<void> {
    // Opened now, this file keeps showing the mount namespace that this process shares with the member's process until
    // then.
    const auto mounts_outside = TRY(open_file(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY));
    const auto prepared = TRY(prepare(peer, file_system()));
    if (prepared.handover.read_only) return fail("read-only");
    const auto outside = TRY(read_all(mounts_outside.get()));
    if (outside.find("a-clone") != std::string::npos) return fail("the member's process sees it: " + outside);
    const auto own = TRY(read_file("/proc/self/mountinfo"));
    if (own.find(" /run/isolate/stage/root ") == std::string::npos || own.find("a-clone") == std::string::npos) {
      return fail("it is not in the lease: " + own);
    }
    TRY_VOID(become_root());
    TRY(open_file(AT_FDCWD, "/run/isolate/stage/root/new", O_CREAT | O_WRONLY, 0600));
    return {};
  })));
}

TEST_F(HandoverTest, MountsOfOtherClonesAreNotInTheLease) {
  EXPECT_TRUE(succeeded(inside([this](const Peer& peer) -> Result<void> {
    // The member's process is in the same mount namespace.
    TRY_VOID(make_directories("/run/isolate/mounts/other", 0700));
    if (::mount("tmpfs", "/run/isolate/mounts/other", "tmpfs", 0, nullptr) != 0) return fail(errno, "mount");
    const auto prepared = TRY(prepare(peer, plain()));
    const auto mounts = TRY(read_file("/proc/self/mountinfo"));
    if (mounts.find("/run/isolate/mounts/other") != std::string::npos)
      return fail("the other clone is mounted in the lease");
    return {};
  })));
}

TEST_F(HandoverTest, TheMemberMayEnterButAnotherUserMayNot) {
  for (const bool is_member : {true, false}) {
    const auto outcome = inside([&](const Peer& peer) -> Result<void> {
      int ends[2];
      if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno, "pipe");
      // Fork this process first, because the current one is about to enter the namespaces itself.
      auto entering = TRY(ReportingChild::start([&]() -> Result<void> {
        char byte = 0;
        pid_t pid = ::getppid();
        if (::read(ends[0], &byte, 1) != 1) return fail("nothing was prepared");
        const auto user = TRY(open_file(AT_FDCWD, "/proc/" + std::to_string(pid) + "/ns/user", O_RDONLY));
        const uid_t uid = is_member ? kMember : kMember + 1;
        if (::setgroups(0, nullptr) != 0 || ::setresuid(uid, uid, uid) != 0) return fail(errno, "setresuid");
        if (::setns(user.get(), CLONE_NEWUSER) != 0) return fail(errno, "setns");
        return {};
      }));
      const auto prepared = TRY(prepare(peer, plain()));
      if (::write(ends[1], "x", 1) != 1) return fail(errno, "write");
      return entering.finish();
    });
    if (is_member) {
      EXPECT_TRUE(succeeded(outcome));
    } else {
      EXPECT_TRUE(fails_with(outcome, EPERM));
    }
  }
}

TEST_F(HandoverTest, APeerInAChrootIsRefused) {
  EXPECT_TRUE(fails_with(inside(
                             [this](const Peer& peer) -> Result<void> {
                               TRY(prepare(peer, plain()));
                               return {};
                             },
                             [this] {
                               if (::chroot((directory_ / "layer").c_str()) != 0) ::_exit(1);
                             }),
                         EPERM));
}

TEST_F(HandoverTest, APeerInAnotherUserNamespaceIsRefused) {
  EXPECT_TRUE(fails_with(inside(
                             [this](const Peer& peer) -> Result<void> {
                               TRY(prepare(peer, plain()));
                               return {};
                             },
                             [] {
                               const IdMaps all = {{{0, 0, 4294967295}}, {{0, 0, 4294967295}}};
                               const auto other = make_user_namespace(all, MapWriter::direct);
                               if (!other || ::setns(other->get(), CLONE_NEWUSER) != 0) ::_exit(1);
                             }),
                         EPERM));
}

TEST_F(HandoverTest, APeerThatHasEndedIsRefused) {
  EXPECT_FALSE(inside([this](const Peer& peer) -> Result<void> {
    ::syscall(SYS_pidfd_send_signal, peer.pidfd.get(), SIGKILL, nullptr, 0);
    pollfd end{peer.pidfd.get(), POLLIN, 0};
    if (::poll(&end, 1, 10'000) != 1) return {};
    TRY(prepare(peer, plain()));
    return {};
  }));
}

TEST_F(HandoverTest, OnlyIdsOfTheMemberAndTheRangeAreMapped) {
  const Peer peer{1000, 100, 1, {}};
  const auto own = member_maps(peer, kBase, false);
  EXPECT_EQ(own.uid, (std::vector<IdMapEntry>{{0, 1000, 1}, {1, kBase + 1, 65535}}));
  EXPECT_EQ(own.gid, (std::vector<IdMapEntry>{{0, 100, 1}, {1, kBase + 1, 65535}}));
  const auto range = member_maps(peer, kBase, true);
  EXPECT_EQ(range.uid, (std::vector<IdMapEntry>{{0, kBase, 65536}}));
  EXPECT_EQ(range.gid, range.uid);
}

}  // namespace
}  // namespace isolate
