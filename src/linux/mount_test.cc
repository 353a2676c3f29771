#include "linux/mount.h"

#include <gtest/gtest.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/user_namespace.h"

namespace isolate {
namespace {

using test::in_private_mounts;
using test::verify;
using test::write_text;

constexpr unsigned kFirstId = 1200000000;

// Each test mounts in the private mount namespace of a child process.
class MountTest : public ::testing::Test {
 protected:
  void SetUp() override { REQUIRE_ROOT(); }

  Result<std::string> make_directory_named(const std::string& name) const {
    TRY_VOID(make_directories(directory_ / name, 0755));
    return directory_ / name;
  }
  static Result<void> attach_at(const Fd& tree, const std::string& path) {
    auto target = TRY(open_file(AT_FDCWD, path, O_PATH));
    return mount::attach(tree, target.get(), path);
  }
  Result<Fd> user_namespace() const {
    return make_user_namespace({{{0, kFirstId, 65536}}, {{0, kFirstId, 65536}}}, MapWriter::direct);
  }
  static Result<unsigned long> flags_of(const std::string& path) {
    struct statvfs status {};
    if (::statvfs(path.c_str(), &status) != 0) return fail(errno, "statvfs " + path);
    return status.f_flag;
  }

  test::TempDirectory directory_;
};

TEST_F(MountTest, ATmpfsHasTheRequestedOptionsAndFlags) {
  in_private_mounts([&]() -> Result<void> {
    const auto place = TRY(make_directory_named("tmp"));
    auto tmpfs = TRY(mount::make("tmpfs", {{"mode", "1711"}, {"size", "64k"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
    TRY_VOID(
        verify(TRY(list_directory(AT_FDCWD, place)).empty(), "the directory is empty before the tmpfs is attached"));
    TRY_VOID(attach_at(tmpfs, place));
    const auto flags = TRY(flags_of(place));
    TRY_VOID(verify((flags & ST_NOSUID) != 0 && (flags & ST_NODEV) != 0 && (flags & ST_NOEXEC) == 0, "the flags"));
    TRY_VOID(verify((TRY(status_of(AT_FDCWD, place)).st_mode & 07777) == 01711, "the mode"));
    auto file = TRY(open_file(AT_FDCWD, place + "/big", O_CREAT | O_WRONLY, 0600));
    auto written = write_all(file.get(), std::string(1 << 20, 'x'), "big");
    return verify(!written && written.error().code() == ENOSPC, "ENOSPC beyond its size");
  });
  EXPECT_TRUE(test::must(list_directory(AT_FDCWD, directory_ / "tmp")).empty()) << "the host must not see the mount";
}

TEST_F(MountTest, UnknownFileSystemsAndOptionsAreErrors) {
  EXPECT_TRUE(test::fails_with(mount::make("no-such-fs", {}, 0), ENODEV));
  const auto refused = mount::make("tmpfs", {{"no-such-option", "1"}}, 0);
  EXPECT_TRUE(test::fails_with(refused, EINVAL));
  EXPECT_EQ(refused.error().context(), "fsconfig tmpfs no-such-option");
}

TEST_F(MountTest, OnlyARecursiveCopyIncludesMountsBelow) {
  in_private_mounts([&]() -> Result<void> {
    const auto below = TRY(make_directory_named("source/below"));
    const auto target = TRY(make_directory_named("target"));
    auto tmpfs = TRY(mount::make("tmpfs", {}, 0));
    TRY_VOID(attach_at(tmpfs, below));
    write_text(below + "/file", "x");
    auto shallow = TRY(mount::copy_tree(AT_FDCWD, directory_ / "source", false));
    TRY_VOID(attach_at(shallow, target));
    TRY_VOID(verify(!test::exists(target + "/below/file"), "a plain copy omits the mount below"));
    auto deep = TRY(mount::copy_tree(AT_FDCWD, directory_ / "source", true));
    TRY_VOID(attach_at(deep, target));
    return verify(test::exists(target + "/below/file"), "a recursive copy includes the mount below");
  });
}

TEST_F(MountTest, AFileCanBeMountedOnAFile) {
  in_private_mounts([&]() -> Result<void> {
    write_text(directory_ / "source", "source");
    write_text(directory_ / "target", "target");
    auto tree = TRY(mount::copy_tree(AT_FDCWD, directory_ / "source", false));
    TRY_VOID(attach_at(tree, directory_ / "target"));
    return verify(test::read_text(directory_ / "target") == "source", "the source's content");
  });
  EXPECT_EQ(test::read_text(directory_ / "target"), "target");
}

TEST_F(MountTest, AReadOnlyCopyLeavesTheOriginalWritable) {
  in_private_mounts([&]() -> Result<void> {
    const auto source = TRY(make_directory_named("source"));
    const auto target = TRY(make_directory_named("target"));
    auto tree = TRY(mount::copy_tree(AT_FDCWD, source, false));
    TRY_VOID(mount::set_attributes(tree, {MOUNT_ATTR_RDONLY, -1, true, false}, "source"));
    TRY_VOID(attach_at(tree, target));
    auto made = make_directory(AT_FDCWD, target + "/a", 0755);
    TRY_VOID(verify(!made && made.error().code() == EROFS, "EROFS"));
    return make_directory(AT_FDCWD, source + "/a", 0755);
  });
}

TEST_F(MountTest, AnIdMapChangesTheOwnersOfFiles) {
  in_private_mounts([&]() -> Result<void> {
    write_text(directory_ / "source/file", "x");
    if (::chown((directory_ / "source/file").c_str(), 5, 6) != 0) return fail(errno, "chown");
    const auto target = TRY(make_directory_named("target"));
    auto tree = TRY(mount::copy_tree(AT_FDCWD, directory_ / "source", false));
    TRY_VOID(mount::set_attributes(tree, {0, TRY(user_namespace()).get(), false, false}, "source"));
    TRY_VOID(attach_at(tree, target));
    const auto mapped = TRY(status_of(AT_FDCWD, target + "/file"));
    return verify(mapped.st_uid == kFirstId + 5 && mapped.st_gid == kFirstId + 6,
                  "owner 5:6, mapped to ids of the namespace");
  });
}

TEST_F(MountTest, AFileSystemWithoutIdMapsFailsWithEinval) {
  in_private_mounts([&]() -> Result<void> {
    auto tree = TRY(mount::copy_tree(AT_FDCWD, "/proc", false));
    auto mapped = mount::set_attributes(tree, {0, TRY(user_namespace()).get(), false, false}, "/proc");
    return verify(!mapped && mapped.error().code() == EINVAL, "EINVAL");
  });
}

// A run relies on this: a namespace below can't remove flags that root has set.
TEST_F(MountTest, ANamespaceBelowCanNotRemoveAttributes) {
  in_private_mounts([&]() -> Result<void> {
    const auto place = TRY(make_directory_named("locked"));
    auto tmpfs = TRY(mount::make("tmpfs", {}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY));
    TRY_VOID(attach_at(tmpfs, place));
    if (::chmod(directory_.path().c_str(), 0755) != 0) return fail(errno, "chmod");
    TRY_VOID(become_root_in(TRY(user_namespace()).get()));
    if (::unshare(CLONE_NEWNS) != 0) return fail(errno, "unshare");
    for (unsigned long kept : {0UL | MS_NOSUID | MS_NODEV, 0UL | MS_RDONLY | MS_NODEV, 0UL | MS_RDONLY | MS_NOSUID}) {
      const int remounted = ::mount(nullptr, place.c_str(), nullptr, MS_REMOUNT | MS_BIND | kept, nullptr);
      TRY_VOID(verify(remounted != 0 && errno == EPERM, "EPERM when a flag is left out"));
    }
    TRY_VOID(verify(::umount2(place.c_str(), MNT_DETACH) != 0, "it can't be unmounted either"));
    // The same call works on a mount without locked flags, so the flags caused the errors above.
    auto own = TRY(mount::make("tmpfs", {}, MOUNT_ATTR_RDONLY));
    TRY_VOID(attach_at(own, place));
    const int remounted = ::mount(nullptr, place.c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr);
    return verify(remounted == 0, "a mount of its own can be changed");
  });
}

TEST_F(MountTest, TheOldNamespaceDoesNotSeeMountsMadePrivately) {
  in_private_mounts([&]() -> Result<void> {
    const auto place = TRY(make_directory_named("shared"));
    auto tmpfs = TRY(mount::make("tmpfs", {}, 0));
    TRY_VOID(attach_at(tmpfs, place));
    if (::mount(nullptr, place.c_str(), nullptr, MS_SHARED, nullptr) != 0) return fail(errno, "mount shared");
    TRY_VOID(make_directories(place + "/below", 0755));
    const std::string parents_mounts = "/proc/" + std::to_string(::getpid()) + "/mountinfo";
    return test::outcome_in_child([&]() -> Result<void> {
      if (::unshare(CLONE_NEWNS) != 0) return fail(errno, "unshare");
      TRY_VOID(mount::make_all_private());
      auto another = TRY(mount::make("tmpfs", {}, 0));
      TRY_VOID(attach_at(another, place + "/below"));
      TRY_VOID(verify(TRY(read_file("/proc/self/mountinfo")).find(place + "/below") != std::string::npos,
                      "this namespace has the new mount"));
      return verify(TRY(read_file(parents_mounts)).find(place + "/below") == std::string::npos,
                    "the parent's namespace does not have it");
    });
  });
}

TEST_F(MountTest, TheOldRootIsUnreachableFromTheNewOne) {
  in_private_mounts([&]() -> Result<void> {
    const auto place = TRY(make_directory_named("root"));
    auto tmpfs = TRY(mount::make("tmpfs", {}, 0));
    TRY_VOID(attach_at(tmpfs, place));
    write_text(place + "/marker", "x");
    auto root = TRY(open_file(AT_FDCWD, place, O_PATH | O_DIRECTORY));
    TRY_VOID(mount::enter_root(root.get()));
    TRY_VOID(verify(test::exists("/marker") && test::exists("../../marker"), "the new root is \"/\""));
    return verify(!test::exists("/etc") && !test::exists(place), "nothing of the old root");
  });
}

class OverlayMountTest : public MountTest {
 protected:
  // Layers l0 (topmost) to l(COUNT-1), each with a file of its own name and with a file that all layers have.
  Result<mount::Overlay> make_layers(std::size_t count) const {
    mount::Overlay overlay{{}, "upper", "work", false};
    for (std::size_t i = 0; i < count; ++i) {
      const auto name = "l" + std::to_string(i);
      write_text(directory_ / name + "/own-" + name, name);
      write_text(directory_ / name + "/common", name);
      overlay.lower.push_back(name);
    }
    for (const char* name : {"upper", "work", "root"}) TRY(make_directory_named(name));
    if (::chdir(directory_.path().c_str()) != 0) return fail(errno, "chdir");
    return overlay;
  }
};

TEST_F(OverlayMountTest, FourHundredLayersCanBeStacked) {
  in_private_mounts([&]() -> Result<void> {
    TRY_VOID(mount::mount_overlay(TRY(make_layers(400)), "root"));
    TRY_VOID(verify(test::read_text("root/common") == "l0", "the topmost layer wins"));
    TRY_VOID(verify(test::read_text("root/own-l399") == "l399", "the lowest layer shows through"));
    write_text("root/common", "changed");
    TRY_VOID(verify(test::read_text("upper/common") == "changed", "changes are in upper"));
    return verify(test::read_text("l0/common") == "l0", "layers stay as they are");
  });
}

TEST_F(OverlayMountTest, WithoutAnUpperDirectoryItIsReadOnly) {
  in_private_mounts([&]() -> Result<void> {
    auto overlay = TRY(make_layers(2));
    overlay.upper.clear();
    TRY_VOID(mount::mount_overlay(overlay, "root"));
    auto made = make_directory(AT_FDCWD, "root/a", 0755);
    return verify(!made && made.error().code() == EROFS, "EROFS");
  });
}

TEST_F(OverlayMountTest, OnlyAThrowAwayOverlayIsVolatile) {
  in_private_mounts([&]() -> Result<void> {
    auto overlay = TRY(make_layers(1));
    overlay.throw_away = true;
    TRY_VOID(mount::mount_overlay(overlay, "root"));
    return verify(TRY(read_file("/proc/self/mountinfo")).find("volatile") != std::string::npos, "volatile");
  });
  in_private_mounts([&]() -> Result<void> {
    auto overlay = TRY(make_layers(1));
    overlay.work = TRY(make_directory_named("work2"));
    TRY_VOID(mount::mount_overlay(overlay, "root"));
    return verify(TRY(read_file("/proc/self/mountinfo")).find("volatile") == std::string::npos, "not volatile");
  });
}

// Such an overlay's superblock belongs to the user namespace, so device nodes in it do not work.
TEST_F(OverlayMountTest, CanBeMountedInAUserNamespace) {
  in_private_mounts([&]() -> Result<void> {
    const auto overlay = TRY(make_layers(2));
    const auto ids = TRY(user_namespace());
    for (const char* name : {"", "/upper", "/work", "/root"}) {
      if (::chown((directory_.path() + name).c_str(), kFirstId, kFirstId) != 0) return fail(errno, "chown");
    }
    TRY_VOID(become_root_in(ids.get()));
    if (::unshare(CLONE_NEWNS) != 0) return fail(errno, "unshare");
    TRY_VOID(mount::mount_overlay(overlay, "root"));
    write_text("root/new", "x");
    return verify(test::exists("upper/new"), "changes are in upper");
  });
}

}  // namespace
}  // namespace isolate
