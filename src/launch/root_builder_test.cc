#include "launch/root_builder.h"

#include <gtest/gtest.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/user_namespace.h"

namespace isolate {
namespace {

using Names = std::vector<std::string>;
using test::in_private_mounts;
using test::read_text;
using test::verify;
using test::write_text;

constexpr unsigned kFirstId = 1200000000;

class RootBuilderTest : public ::testing::Test {
 protected:
  RootBuilderTest() {
    for (const char* name : {"clone/upper", "clone/work", "layer/etc", "outside"}) {
      std::filesystem::create_directories(directory_ / name);
    }
    write_text(directory_ / "layer/etc/issue", "of the layer");
    plan_.root = {{directory_ / "layer"}, directory_ / "clone"};
    plan_.stage = directory_ / "stage";
    plan_.working_directory = "/";
  }
  void SetUp() override { REQUIRE_ROOT(); }

  std::string inside(const std::string& path) const { return plan_.stage + "/root" + path; }
  void link(const std::string& target, const std::string& name) const {
    std::filesystem::create_symlink(target, directory_ / "layer/" + name);
  }
  void bind(const std::string& source, const std::string& target, bool read_only = false) {
    plan_.mounts.push_back({MountKind::bind, target, source, read_only});
  }
  Result<Names> build(int user_namespace = -1) const {
    RootBuilder builder(plan_, user_namespace);
    TRY_VOID(builder.open_sources());
    TRY_VOID(builder.attach_sources());
    TRY_VOID(builder.mount_root());
    for (std::size_t i = 0; i < plan_.mounts.size(); ++i) TRY_VOID(builder.mount_in_root(i));
    TRY_VOID(builder.finish());
    return builder.warnings();
  }
  // The root can't be put together, and the error says this.
  void expect_error(const std::string& part, test::Where where = test::Where::here()) const {
    in_private_mounts(
        [&]() -> Result<void> {
          const auto message = test::message_of(build());
          return verify(message.find(part) != std::string::npos, part + ", not: " + message);
        },
        where);
    EXPECT_TRUE(test::names_below(directory_ / "outside").empty()) << "something was made outside";
  }

  test::TempDirectory directory_;
  RunPlan plan_;
};

TEST_F(RootBuilderTest, ChangesGoToTheCloneAndNotToTheLayer) {
  in_private_mounts([&]() -> Result<void> {
    TRY(build());
    TRY_VOID(verify(read_text(inside("/etc/issue")) == "of the layer", "the layer shows through"));
    write_text(inside("/etc/issue"), "changed");
    return {};
  });
  EXPECT_EQ(read_text(directory_ / "layer/etc/issue"), "of the layer");
  EXPECT_EQ(read_text(directory_ / "clone/upper/etc/issue"), "changed");
}

TEST_F(RootBuilderTest, AFileSystemIsTheRootItself) {
  plan_.root = {{}, "", mount::FileSystem{"tmpfs", {{"source", "a-clone"}, {"mode", "0755"}}, MOUNT_ATTR_NOEXEC}};
  in_private_mounts([&]() -> Result<void> {
    TRY(build());
    write_text(inside("/new"), "new");
    const auto mounts = read_text("/proc/self/mountinfo");
    TRY_VOID(verify(mounts.find(inside("") + " rw,nodev,noexec") != std::string::npos, "flags: " + mounts));
    return verify(mounts.find(" - tmpfs a-clone ") != std::string::npos, "source: " + mounts);
  });
}

TEST_F(RootBuilderTest, AFileSystemThatWasOpenedBeforeIsUsed) {
  plan_.root = {{}, "", mount::FileSystem{"tmpfs", {{"mode", "0755"}}}};
  in_private_mounts([&]() -> Result<void> {
    auto opened = TRY(open_root(plan_.root, false));
    TRY(open_file(opened.get(), "of-before", O_CREAT | O_WRONLY, 0600));
    RootBuilder builder(plan_, -1);
    builder.take_root(std::move(opened));
    TRY_VOID(builder.open_sources());
    TRY_VOID(builder.attach_sources());
    return verify(test::exists(inside("/of-before")), "another one is there");
  });
}

TEST_F(RootBuilderTest, ADirectoryItselfIsChanged) {
  plan_.root = {{}, directory_ / "layer"};
  in_private_mounts([&]() -> Result<void> {
    TRY(build());
    write_text(inside("/etc/issue"), "changed");
    return {};
  });
  EXPECT_EQ(read_text(directory_ / "layer/etc/issue"), "changed");
}

TEST_F(RootBuilderTest, BindsOfDirectoriesAndFilesAppearWhereAskedFor) {
  write_text(directory_ / "host/file", "of the host");
  bind(directory_ / "host", "/mnt/new/directory");
  bind(directory_ / "host/file", "/mnt/new/file");
  bind(directory_ / "host/file", "/etc/issue");
  in_private_mounts([&]() -> Result<void> {
    TRY(build());
    for (const char* path : {"/mnt/new/directory/file", "/mnt/new/file", "/etc/issue"}) {
      TRY_VOID(verify(read_text(inside(path)) == "of the host", path));
    }
    write_text(inside("/mnt/new/directory/made"), "x");
    return verify(test::exists(directory_ / "host/made"), "a bind can be written to");
  });
}

TEST_F(RootBuilderTest, BindsAreNosuidNodevAndReadOnlyIfAskedFor) {
  std::filesystem::create_directories(directory_ / "host");
  bind(directory_ / "host", "/rw");
  bind(directory_ / "host", "/ro", true);
  in_private_mounts([&]() -> Result<void> {
    TRY(build());
    for (const char* path : {"/rw", "/ro"}) {
      struct statvfs status {};
      if (::statvfs(inside(path).c_str(), &status) != 0) return fail(errno, "statvfs");
      const bool is_read_only = (status.f_flag & ST_RDONLY) != 0;
      TRY_VOID(verify((status.f_flag & ST_NOSUID) != 0 && (status.f_flag & ST_NODEV) != 0, "nosuid and nodev"));
      TRY_VOID(verify(is_read_only == (path == std::string("/ro")), path));
    }
    return {};
  });
}

TEST_F(RootBuilderTest, ASourceThatIsMissingIsNamed) {
  bind("/nonexistent/\033", "/a");
  expect_error("bind /nonexistent/\\x1b: No such file or directory");
}

TEST_F(RootBuilderTest, TargetsDoNotLeadOutOfTheRoot) {
  std::filesystem::create_directories(directory_ / "host");
  link(directory_ / "outside", "absolute");
  bind(directory_ / "host", "/absolute/made");
  expect_error("'/absolute' in the root is a symbolic link that leads nowhere inside it");
}

TEST_F(RootBuilderTest, LinksOfTheTemplateAreFollowedInside) {
  write_text(directory_ / "host/file", "of the host");
  link("/etc", "link");
  bind(directory_ / "host", "/link/bound");
  in_private_mounts([&]() -> Result<void> {
    TRY(build());
    return verify(read_text(inside("/etc/bound/file")) == "of the host", "the bind is below /etc of the root");
  });
}

TEST_F(RootBuilderTest, ProcMayNotBeALink) {
  link("/etc", "proc");
  expect_error("/proc of the root is a symbolic link; it must be an ordinary directory");
}

TEST_F(RootBuilderTest, DevMayNotBeALink) {
  plan_.mounts.push_back({MountKind::devices, "/dev", "", false});
  link("/etc", "dev");
  expect_error("/dev of the root is a symbolic link; it must be an ordinary directory");
}

TEST_F(RootBuilderTest, DevHasTheUsualDevicesAndNoOther) {
  plan_.mounts.push_back({MountKind::devices, "/dev", "", false});
  in_private_mounts([&]() -> Result<void> {
    TRY(build());
    const Names expected = {"fd",     "full",  "null",   "ptmx", "pts",     "random", "shm",
                            "stderr", "stdin", "stdout", "tty",  "urandom", "zero"};
    TRY_VOID(verify(TRY(list_directory(AT_FDCWD, inside("/dev"))) == expected, "these names"));
    TRY_VOID(verify(TRY(status_of(AT_FDCWD, inside("/dev/null"))).st_rdev == makedev(1, 3), "/dev/null is 1:3"));
    TRY_VOID(verify(TRY(list_directory(AT_FDCWD, inside("/dev/pts"))) == Names{"ptmx"}, "no terminal of the host"));
    auto null = TRY(open_file(AT_FDCWD, inside("/dev/null"), O_WRONLY));
    return write_all(null.get(), "x", "/dev/null");
  });
}

TEST_F(RootBuilderTest, SysMayNotBeALink) {
  plan_.mounts.push_back({MountKind::share, "/sys", "", true, 0, &kProcessors});
  link("/no/such", "sys");
  expect_error("/sys of the root is a symbolic link; it must be an ordinary directory");
}

TEST_F(RootBuilderTest, SysHasProcessorsReadOnlyAndBindsFindTheirPlaceThere) {
  plan_.template_name = "t";
  plan_.mounts.push_back({MountKind::share, "/sys", "", true, 0, &kProcessors});
  bind(directory_ / "outside", "/sys/class/bound");
  in_private_mounts([&]() -> Result<void> {
    TRY(build());
    TRY_VOID(verify(TRY(list_directory(AT_FDCWD, inside("/sys"))) == Names{"class", "devices"}, "nothing else"));
    TRY_VOID(verify(TRY(list_directory(AT_FDCWD, inside("/sys/devices"))) == Names{"system"}, "nothing else below"));
    const auto online = inside("/sys/devices/system/cpu/online");
    TRY_VOID(verify(TRY(read_file(online)) == TRY(read_file("/sys/devices/system/cpu/online")), "the host's"));
    for (const auto& path : {online, inside("/sys/devices/system/cpu/uevent")}) {
      const auto opened = open_file(AT_FDCWD, path, O_WRONLY);
      TRY_VOID(verify(!opened && opened.error().code() == EROFS, "EROFS for " + path));
    }
    const auto made = make_directory(AT_FDCWD, inside("/sys/made"), 0755);
    TRY_VOID(verify(!made && made.error().code() == EROFS, "EROFS for /sys"));
    return make_directory(AT_FDCWD, inside("/sys/class/bound/made"), 0755);
  });
  std::filesystem::remove(directory_ / "outside/made");
}

TEST_F(RootBuilderTest, ADirectoryWithoutSysStaysSo) {
  plan_.root = {{}, directory_ / "layer"};
  plan_.mounts.push_back({MountKind::share, "/sys", "", true, 0, &kProcessors});
  in_private_mounts([&]() -> Result<void> {
    TRY(build());
    return verify(!test::exists(directory_ / "layer/sys"), "no /sys");
  });
}

TEST_F(RootBuilderTest, TmpfsHasTheModeAskedFor) {
  plan_.mounts.push_back({MountKind::tmpfs, "/tmp", "", false, 01777});
  in_private_mounts([&]() -> Result<void> {
    TRY(build());
    TRY_VOID(verify((TRY(status_of(AT_FDCWD, inside("/tmp"))).st_mode & 07777) == 01777, "mode 1777"));
    write_text(inside("/tmp/file"), "x");
    return verify(!test::exists(directory_ / "clone/upper/tmp/file"), "it is in memory");
  });
}

TEST_F(RootBuilderTest, AReadOnlyRootLeavesTmpWritable) {
  plan_.read_only_root = true;
  plan_.mounts.push_back({MountKind::tmpfs, "/tmp", "", false, 01777});
  in_private_mounts([&]() -> Result<void> {
    TRY(build());
    const auto made = make_directory(AT_FDCWD, inside("/made"), 0755);
    TRY_VOID(verify(!made && made.error().code() == EROFS, "EROFS"));
    return make_directory(AT_FDCWD, inside("/tmp/made"), 0755);
  });
}

TEST_F(RootBuilderTest, ADirectoryThatMayNotBeChangedIsNot) {
  plan_.root = {{}, directory_ / "layer"};
  plan_.read_only_root = true;
  plan_.may_create_targets = false;
  plan_.mounts.push_back({MountKind::tmpfs, "/tmp", "", false, 01777});
  expect_error("/tmp is not there in the root, and --read-only keeps it from being made");
  EXPECT_EQ(test::must(list_directory(AT_FDCWD, directory_ / "layer")), Names{"etc"});
}

TEST_F(RootBuilderTest, AWorkingDirectoryThatIsMissingIsNamed) {
  plan_.working_directory = "/no/such";
  expect_error("working directory /no/such: No such file or directory");
}

TEST_F(RootBuilderTest, TheResolverCoversWhateverIsThere) {
  write_text(directory_ / "resolv.conf", "nameserver 192.0.2.1");
  link(directory_ / "outside/resolv.conf", "etc/resolv.conf");
  plan_.mounts.push_back({MountKind::share, "/etc/resolv.conf", directory_ / "resolv.conf", true, 0, &kResolvConf});
  in_private_mounts([&]() -> Result<void> {
    TRY(build());
    return verify(read_text(inside("/etc/resolv.conf")) == "nameserver 192.0.2.1", "the host's");
  });
  EXPECT_TRUE(test::names_below(directory_ / "outside").empty());
}

TEST_F(RootBuilderTest, AHostWithoutAResolverIsNoError) {
  plan_.mounts.push_back({MountKind::share, "/etc/resolv.conf", directory_ / "none", true, 0, &kResolvConf});
  in_private_mounts([&]() -> Result<void> {
    TRY(build());
    return {};
  });
}

class MappedRootTest : public RootBuilderTest {
 protected:
  MappedRootTest() {
    plan_.ids.idmap_root = true;
    plan_.ids.idmap_binds = true;
    plan_.ids.maps = {{{0, kFirstId, 65536}}, {{0, kFirstId, 65536}}};
  }
  static Fd ids() {
    return test::must(make_user_namespace({{{0, kFirstId, 65536}}, {{0, kFirstId, 65536}}}, MapWriter::direct));
  }
  // Becomes root of the user namespace in between, as a launcher does.
  Result<Names> build_as_guest() const {
    if (::chmod(directory_.path().c_str(), 0755) != 0) return fail(errno, "chmod");
    const auto namespace_fd = ids();
    RootBuilder builder(plan_, namespace_fd.get());
    TRY_VOID(builder.open_sources());
    TRY_VOID(builder.attach_sources());
    TRY_VOID(become_root_in(namespace_fd.get()));
    if (::unshare(CLONE_NEWNS) != 0) return fail(errno, "unshare");
    TRY_VOID(builder.mount_root());
    for (std::size_t i = 0; i < plan_.mounts.size(); ++i) TRY_VOID(builder.mount_in_root(i));
    TRY_VOID(builder.finish());
    return builder.warnings();
  }
};

// Mounted in the namespace itself: so its superblock is the guest's, and files of the host's root look like root's.
TEST_F(MappedRootTest, LayersAndBindsBelongToTheGuestsRoot) {
  write_text(directory_ / "host/file", "x");
  bind(directory_ / "host", "/bound");
  in_private_mounts([&]() -> Result<void> {
    const auto warnings = TRY(build_as_guest());
    TRY_VOID(verify(warnings.empty(), "no warning"));
    TRY_VOID(verify(TRY(status_of(AT_FDCWD, inside("/etc/issue"))).st_uid == 0, "a file of the layer is root's"));
    TRY_VOID(verify(TRY(status_of(AT_FDCWD, inside("/bound/file"))).st_uid == 0, "a file of the bind is root's"));
    write_text(inside("/made"), "x");
    write_text(inside("/bound/made"), "x");
    return {};
  });
  for (const char* name : {"clone/upper/made", "host/made"}) {
    EXPECT_EQ(test::must(status_of(AT_FDCWD, directory_ / name)).st_uid, 0U) << name << " on disk";
  }
}

TEST_F(MappedRootTest, ADeviceIsANodeOfTheGuestsOwnWithTheHostsMode) {
  const auto device = directory_ / "device";
  ASSERT_EQ(::mknod(device.c_str(), S_IFCHR | 0660, makedev(1, 5)), 0);
  ASSERT_EQ(::chmod(device.c_str(), 0660), 0);
  ASSERT_EQ(::chown(device.c_str(), 0, 106), 0);
  bind(device, "/given");
  in_private_mounts([&]() -> Result<void> {
    TRY(build_as_guest());
    TRY(open_file(AT_FDCWD, inside("/given"), O_RDWR));
    const auto status = TRY(status_of(AT_FDCWD, inside("/given")));
    TRY_VOID(verify(status.st_uid == 0 && status.st_gid == 106, "it has the host's owners, as ids inside"));
    TRY_VOID(verify((status.st_mode & 07777) == 0660 && status.st_rdev == makedev(1, 5), "it is the same device"));
    if (::chmod(inside("/given").c_str(), 0666) != 0) return fail(errno, "chmod of the guest's own");
    return {};
  });
  EXPECT_EQ(test::must(status_of(AT_FDCWD, device)).st_mode & 07777, 0660U) << "of the host's";
}

TEST_F(MappedRootTest, IdsAboveThoseInsideComeWithAWarning) {
  write_text(directory_ / "high/file", "x");
  ASSERT_EQ(::chown((directory_ / "high").c_str(), 70000, 0), 0);
  for (const char* name : {"layer/bound", "layer/proc"}) std::filesystem::create_directories(directory_ / name);
  bind(directory_ / "high", "/bound");
  in_private_mounts([&]() -> Result<void> {
    const auto warnings = TRY(build(ids().get()));
    return verify(warnings.size() == 1 && warnings.front().find("belongs to 70000:0") != std::string::npos,
                  "a warning");
  });
}

TEST_F(MappedRootTest, WhatCannotMapIdsComesWithAWarning) {
  // Only a guest can write to an overlay of mapped layers: all that is needed is there already.
  for (const char* name : {"layer/bound", "layer/proc"}) std::filesystem::create_directories(directory_ / name);
  bind("/proc/sys", "/bound");
  in_private_mounts([&]() -> Result<void> {
    const auto warnings = TRY(build(ids().get()));
    return verify(warnings == Names{"the file system of /proc/sys can't map ids: its files belong to nobody inside"},
                  "one warning");
  });
}

}  // namespace
}  // namespace isolate
