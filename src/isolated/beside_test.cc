// Tests of the handover to a guest whose user namespace lies beside that of its lease.
#include <sched.h>
#include <sys/stat.h>

#include <cstdint>

#include "isolated/handover_testing.h"
#include "stage/layout.h"
#include "wire/manager.h"

namespace isolate {
namespace {

using test::succeeded;

constexpr const char* kRoot = "/run/isolate/stage/root";

// `build` assembles the root in the namespaces of the lease. `guest` runs as root of the guest's namespaces, where the
// root appears on the door.
class BesideTest : public HandoverTest {
 protected:
  using Work = std::function<Result<void>()>;

  Result<void> outcome(const RootSource& root, const Work& build, const Work& guest) {
    return inside([&](const Peer& peer) -> Result<void> {
      auto namespaces = TRY(beside(peer));
      Pipe number = TRY(make_pipe("number"));
      // Fork this process first, because the current one is about to enter the lease's namespaces.
      auto other = TRY(ReportingChild::start([&]() -> Result<void> {
        int descriptor = -1;
        if (::read(number.read.get(), &descriptor, sizeof descriptor) != sizeof descriptor) return fail("no number");
        const Fd parent(static_cast<int>(::syscall(SYS_pidfd_open, ::getppid(), 0)));
        const Fd mounts(static_cast<int>(::syscall(SYS_pidfd_getfd, parent.get(), descriptor, 0)));
        if (!mounts) return fail(errno, "pidfd_getfd");
        // Become the member, who owns the namespace, as the member's isolate would be.
        if (::setgroups(0, nullptr) != 0 || ::setresuid(kMember, kMember, kMember) != 0)
          return fail(errno, "setresuid");
        TRY_VOID(become_root_in(namespaces.guest.get()));
        if (::setns(mounts.get(), CLONE_NEWNS) != 0) return fail(errno, "setns");
        return guest();
      }));
      const auto handover = TRY(prepare_handover(peer, namespaces, root, Mapping::id_mapped));
      TRY_VOID(become_root());
      TRY_VOID(build());
      const auto finished = TRY(mount::copy_tree(AT_FDCWD, kRoot, true));
      TRY_VOID(mount::attach(
          finished, TRY(open_file(AT_FDCWD, stage::path(stage::kOfRoot, stage::kDoor), O_PATH)).get(), "door"));
      const int descriptor = handover.guest_mount_namespace.get();
      TRY_VOID(
          write_all(number.write.get(), {reinterpret_cast<const char*>(&descriptor), sizeof descriptor}, "number"));
      return other.finish();
    });
  }

 private:
  // Stands for a host that allows no user namespace below another one.
  static Result<LeaseNamespaces> beside(const Peer& peer) {
    const auto maps = member_maps(peer, kBase, false);
    LeaseNamespaces made;
    made.user_namespace = TRY(make_user_namespace(maps, MapWriter::direct, {UINT64_MAX, kMember}));
    made.guest = TRY(make_user_namespace(maps, MapWriter::direct, {UINT64_MAX, kMember}));
    made.nested = wire::Nested::beside;
    return made;
  }
};

Result<void> mount_read_only_below_the_root() {
  const std::string place = std::string(kRoot) + "/ro";
  TRY_VOID(make_directory(AT_FDCWD, place, 0755));
  const auto tmpfs = TRY(mount::make("tmpfs", {}, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV));
  return mount::attach(tmpfs, TRY(open_file(AT_FDCWD, place, O_PATH)).get(), place);
}

TEST_F(BesideTest, MountsOfTheLeaseAppearInTheGuestAndAreLocked) {
  for (const auto& root : {overlay(), plain()}) {
    EXPECT_TRUE(succeeded(outcome(root, mount_read_only_below_the_root, []() -> Result<void> {
      const std::string door = stage::path(stage::kOfRoot, stage::kDoor);
      TRY(open_file(AT_FDCWD, door + "/new", O_CREAT | O_WRONLY, 0600));
      TRY_VOID(expect_error(clear(door + "/ro", MOUNT_ATTR_RDONLY), EPERM, "clearing read-only"));
      TRY_VOID(expect_error(clear(door + "/ro", MOUNT_ATTR_NODEV), EPERM, "clearing nodev"));
      if (::umount2((door + "/ro").c_str(), MNT_DETACH) == 0) return fail("the guest could unmount it");
      // The flags are locked in a copy, too.
      const auto copy = TRY(mount::copy_tree(AT_FDCWD, door, true));
      TRY_VOID(mount::attach(copy, TRY(open_file(AT_FDCWD, "/run", O_PATH)).get(), "/run"));
      return expect_error(clear("/run/ro", MOUNT_ATTR_RDONLY), EPERM, "clearing read-only in a copy");
    })));
  }
}

TEST_F(BesideTest, MountsOfTheGuestDoNotAppearInTheLease) {
  EXPECT_TRUE(succeeded(outcome(
      overlay(), [] { return Result<void>(); },
      []() -> Result<void> {
        const auto tmpfs = TRY(mount::make("tmpfs", {}, 0));
        TRY_VOID(mount::attach(tmpfs, TRY(open_file(AT_FDCWD, stage::path(stage::kOfRoot, stage::kDoor), O_PATH)).get(),
                               "door"));
        const auto mounts = TRY(read_file("/proc/self/mountinfo"));
        // "master:" without "shared:" means that the mount receives mounts but passes none on.
        const auto line = mounts.find(" /run/isolate/stage/door ");
        if (line == std::string::npos) return fail("no door: " + mounts);
        const auto fields = mounts.substr(line, mounts.find('\n', line) - line);
        return test::verify(fields.find("master:") != std::string::npos && fields.find("shared:") == std::string::npos,
                            fields);
      })));
}

TEST_F(BesideTest, SetUserIdProgramsOfTheCloneTakeEffect) {
  std::filesystem::copy_file("/usr/bin/id", directory_ / "layer/id");
  ASSERT_EQ(::chmod((directory_ / "layer/id").c_str(), 04755), 0);
  EXPECT_TRUE(succeeded(outcome(
      overlay(), [] { return Result<void>(); },
      []() -> Result<void> {
        const Pipe output = TRY(make_pipe("output"));
        auto child = TRY(fork_child(0, [&] {
          if (::setresuid(33, 33, 33) != 0 || ::dup2(output.write.get(), STDOUT_FILENO) < 0) return 1;
          ::execl("/run/isolate/stage/door/id", "id", "-u", nullptr);
          return 1;
        }));
        if (!TRY(child.wait()).success()) return fail("id");
        char text[16] = {};
        if (::read(output.read.get(), text, sizeof text - 1) <= 0) return fail("no output");
        return test::verify(std::string(text) == "0\n", text);
      })));
}

TEST_F(BesideTest, TheGuestCanNotReachALayer) {
  EXPECT_TRUE(succeeded(outcome(
      overlay(), [] { return Result<void>(); },
      []() -> Result<void> {
        if (!test::names_below("/run/isolate/stage/parts").empty()) return fail("the layers are visible");
        const auto mounts = TRY(read_file("/proc/self/mountinfo"));
        return test::verify(mounts.find("/layer") == std::string::npos, mounts);
      })));
}

}  // namespace
}  // namespace isolate
