#include "isolatectl/template_source.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process.h"
#include "linux/reporting_child.h"
#include "linux/tree.h"

namespace isolate {
namespace {

using Names = std::vector<std::string>;
using Kind = TemplateSource::Kind;
using test::must;
using test::write_text;

class TemplateSourceTest : public ::testing::Test {
 protected:
  TemplateSourceTest() : owner_(Caller::current()), progress_("template t", true) {
    std::filesystem::create_directories(layer());
    std::filesystem::create_directories(directory_ / "tree");
  }
  void SetUp() override { REQUIRE_ROOT(); }

  std::string layer() const { return directory_ / "layer"; }
  Result<void> fill_from(const std::string& path) {
    return fill_layer(must(parse_template_source(path)), layer(), &owner_, &progress_);
  }
  struct stat status(const std::string& name) const {
    return must(status_of(AT_FDCWD, layer() + "/" + name, AT_SYMLINK_NOFOLLOW));
  }
  // Makes a small root with the things that a copy easily loses: owners, modes, links, device nodes.
  void make_tree() const {
    write_text(directory_ / "tree/etc/shadow", "secret");
    write_text(directory_ / "tree/usr/bin/su", "x");
    EXPECT_EQ(::chown((directory_ / "tree/etc/shadow").c_str(), 0, 42), 0);
    EXPECT_EQ(::chmod((directory_ / "tree/etc/shadow").c_str(), 0640), 0);
    EXPECT_EQ(::chmod((directory_ / "tree/usr/bin/su").c_str(), 04755), 0);
    std::filesystem::create_symlink("usr/bin", directory_ / "tree/bin");
    std::filesystem::create_directories(directory_ / "tree/dev");
    EXPECT_EQ(::mknod((directory_ / "tree/dev/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  }
  void expect_tree() const {
    EXPECT_EQ(status("etc/shadow").st_gid, 42U);
    EXPECT_EQ(status("etc/shadow").st_mode & 07777, 0640U);
    EXPECT_EQ(status("usr/bin/su").st_mode & 07777, 04755U);
    EXPECT_TRUE(S_ISLNK(status("bin").st_mode));
    EXPECT_TRUE(must(list_directory(AT_FDCWD, layer() + "/dev")).empty()) << "device nodes are made for each run";
    EXPECT_EQ(status("").st_mode & 07777, 0755U) << "users of the guest need to search \"/\"";
  }
  // Adds attributes that tar copies only with an option, and attributes of overlayfs, which it must not copy.
  void add_attributes() const {
    const auto file = directory_ / "tree/usr/bin/su";
    EXPECT_EQ(::setxattr(file.c_str(), "user.checksum", "abc", 3, 0), 0);
    EXPECT_EQ(::setxattr((directory_ / "tree/etc").c_str(), "user.overlay.opaque", "y", 1, 0), 0);
    EXPECT_EQ(::setxattr((directory_ / "tree/etc").c_str(), "user.overlay.redirect", "/root", 5, 0), 0);
    EXPECT_EQ(::setxattr((directory_ / "tree/etc").c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
    const auto listed = must(run_program({"setfacl", "-m", "u:65534:rwx,d:g:42:rx", directory_ / "tree/etc"}));
    EXPECT_TRUE(listed.status.success()) << listed.err;
    write_text(directory_ / "tree/var/log/lastlog", "");
    EXPECT_EQ(::truncate((directory_ / "tree/var/log/lastlog").c_str(), off_t{3} << 30), 0);
  }
  std::string attribute(const std::string& name, const char* attribute) const {
    char value[256];
    const ssize_t size = ::getxattr((layer() + "/" + name).c_str(), attribute, value, sizeof value);
    return size < 0 ? "" : std::string(value, static_cast<std::size_t>(size));
  }
  void expect_attributes() const {
    EXPECT_EQ(attribute("usr/bin/su", "user.checksum"), "abc");
    EXPECT_FALSE(attribute("etc", "system.posix_acl_access").empty());
    EXPECT_FALSE(attribute("etc", "system.posix_acl_default").empty());
    EXPECT_EQ(attribute("etc", "user.overlay.opaque"), "");
    EXPECT_EQ(attribute("etc", "user.overlay.redirect"), "");
    EXPECT_EQ(attribute("etc", "trusted.overlay.opaque"), "");
    EXPECT_EQ(status("var/log/lastlog").st_size, off_t{3} << 30);
    EXPECT_LT(status("var/log/lastlog").st_blocks, 2048) << "its hole is filled";
  }
  void pack(const std::string& archive) const {
    const auto packed = must(run_program({"tar", "-C", directory_ / "tree", "--sparse", "--acls", "--xattrs",
                                          "--xattrs-include=*", "-caf", archive, "."}));
    ASSERT_TRUE(packed.status.success()) << packed.err;
  }

  test::TempDirectory directory_;
  OwnerNamespace owner_;
  Progress progress_;
};

TEST_F(TemplateSourceTest, ASourceIsADebianReleaseADirectoryOrAnArchive) {
  const auto debian = must(parse_template_source("debian:trixie"));
  EXPECT_EQ(debian.kind, Kind::debian);
  EXPECT_EQ(debian.debian.suite, "trixie");
  EXPECT_EQ(debian.description, "debian:trixie");
  const auto tree = must(parse_template_source(directory_ / "tree/../tree"));
  EXPECT_EQ(tree.kind, Kind::directory);
  EXPECT_EQ(tree.path, directory_ / "tree");
  write_text(directory_ / "a.tar", "x");
  EXPECT_EQ(must(parse_template_source(directory_ / "a.tar")).kind, Kind::archive);
}

TEST_F(TemplateSourceTest, AnythingElseIsRefusedWithAdvice) {
  EXPECT_EQ(
      test::message_of(parse_template_source("fedora:40")),
      "source fedora:40: No such file or directory; a source is debian:SUITE, a directory, a tar archive, or - for "
      "an archive on standard input; for an image of Docker or Podman: docker export $(docker create fedora:40) | "
      "isolatectl template create NAME --from -");
  EXPECT_EQ(test::message_of(parse_template_source("/dev/null")),
            "source /dev/null is neither a directory nor a file nor a pipe; give a directory or a tar archive");
  write_text(directory_ / "empty.tar", "");
  EXPECT_EQ(test::message_of(parse_template_source(directory_ / "empty.tar")),
            "source " + (directory_ / "empty.tar") + " holds no files: it is empty");
  write_text(directory_ / "root.squashfs", "hsqs and more");
  EXPECT_NE(test::message_of(parse_template_source(directory_ / "root.squashfs")).find("unsquashfs"),
            std::string::npos);
}

TEST_F(TemplateSourceTest, ADirectoryIsCopiedWithOwnersAndModes) {
  make_tree();
  ASSERT_TRUE(test::succeeded(fill_from(directory_ / "tree")));
  expect_tree();
}

TEST_F(TemplateSourceTest, AnArchiveIsUnpackedWithOwnersAndModes) {
  make_tree();
  pack(directory_ / "root.tar.gz");
  ASSERT_TRUE(test::succeeded(fill_from(directory_ / "root.tar.gz")));
  expect_tree();
}

TEST_F(TemplateSourceTest, HolesAccessListsAndAttributesOfADirectoryAreKept) {
  make_tree();
  add_attributes();
  ASSERT_TRUE(test::succeeded(fill_from(directory_ / "tree")));
  expect_attributes();
}

TEST_F(TemplateSourceTest, HolesAccessListsAndAttributesOfAnArchiveAreKept) {
  make_tree();
  add_attributes();
  pack(directory_ / "root.tar");
  ASSERT_TRUE(test::succeeded(fill_from(directory_ / "root.tar")));
  expect_attributes();
}

TEST_F(TemplateSourceTest, AnArchiveThroughAPipeMayHaveAnyCompression) {
  make_tree();
  add_attributes();
  for (const std::string suffix : {"tar", "tar.gz", "tar.xz", "tar.zst", "tar.bz2"}) {
    const auto archive = directory_ / ("root." + suffix);
    pack(archive);
    const auto fifo = directory_ / "pipe";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    auto writing = must(ReportingChild::start([&]() -> Result<void> {
      const auto fd = TRY(open_file(AT_FDCWD, fifo, O_WRONLY));
      return write_all(fd.get(), TRY(read_file(archive, 1 << 30)), fifo);
    }));
    ASSERT_TRUE(test::succeeded(fill_from(fifo))) << suffix;
    EXPECT_TRUE(test::succeeded(writing.finish()));
    expect_tree();
    expect_attributes();
    must(remove_tree(AT_FDCWD, fifo));
    must(remove_tree(AT_FDCWD, layer()));
    std::filesystem::create_directories(layer());
  }
}

TEST_F(TemplateSourceTest, ASourceThatIsNotALinuxRootIsRefusedUnlessForced) {
  write_text(directory_ / "clone/upper/etc/hostname", "x");
  std::filesystem::create_directories(directory_ / "clone/work");
  write_text(directory_ / "documents/letter.txt", "x");
  write_text(directory_ / "image/manifest.json", "x");
  write_text(directory_ / "wrapped/rootfs/usr/bin/true", "x");
  write_text(directory_ / "template/generations/1", "1");
  write_text(directory_ / "template/layers/2/usr/bin/true", "x");
  for (const auto& [source, words] :
       {std::pair{"clone", "the clone of a run"}, std::pair{"clone/upper", "what a clone has changed"},
        std::pair{"documents", "neither /bin nor /usr"}, std::pair{"image", "docker export"},
        std::pair{"wrapped", "'rootfs'"}, std::pair{"template", "the folder of a template"},
        std::pair{"template/layers/2", "one layer of a template"}}) {
    const auto message = test::message_of(fill_from(directory_ / source));
    EXPECT_NE(message.find("does not look like a Linux root"), std::string::npos) << message;
    EXPECT_NE(message.find(words), std::string::npos) << message;
    EXPECT_TRUE(must(list_directory(AT_FDCWD, layer())).empty()) << "refused before anything is copied";
  }
  auto forced = must(parse_template_source(directory_ / "documents"));
  forced.any_content = true;
  EXPECT_TRUE(test::succeeded(fill_layer(forced, layer(), &owner_, &progress_)));
}

TEST_F(TemplateSourceTest, ADirectoryWithOneProgramCountsAsARoot) {
  write_text(directory_ / "tree/hello", "x");
  ASSERT_EQ(::chmod((directory_ / "tree/hello").c_str(), 0755), 0);
  EXPECT_TRUE(test::succeeded(fill_from(directory_ / "tree")));
}

TEST_F(TemplateSourceTest, TheNameOfAnArchiveMayContainAColon) {
  make_tree();
  pack(directory_ / "tree.tar");
  std::filesystem::rename(directory_ / "tree.tar", directory_ / "host:tree.tar");
  EXPECT_TRUE(test::succeeded(fill_from(directory_ / "host:tree.tar")));
}

TEST_F(TemplateSourceTest, FileSystemsMountedBelowADirectoryAreLeftOut) {
  make_tree();
  test::in_private_mounts([&]() -> Result<void> {
    const auto mounted = directory_ / "tree/etc";
    if (::mount("tmpfs", mounted.c_str(), "tmpfs", 0, nullptr) != 0) return fail(errno, "mount");
    write_text(mounted + "/of-another-file-system", "x");
    return fill_from(directory_ / "tree");
  });
  EXPECT_TRUE(must(list_directory(AT_FDCWD, layer() + "/etc")).empty());
}

TEST_F(TemplateSourceTest, AnEmptyDirectoryIsRefused) {
  EXPECT_EQ(test::message_of(fill_from(directory_ / "tree")), "source " + (directory_ / "tree") + " holds no files");
}

TEST_F(TemplateSourceTest, AFileThatIsNotAnArchiveGivesTarsMessage) {
  write_text(directory_ / "a.tar", std::string(5000, 'x'));
  const auto message = test::message_of(fill_from(directory_ / "a.tar"));
  EXPECT_TRUE(message.starts_with("tar: ")) << message;
  EXPECT_NE(message.find("does not look like a tar archive"), std::string::npos) << message;
}

TEST_F(TemplateSourceTest, AnArchiveCanNotWriteOutsideTheLayer) {
  write_text(directory_ / "evil/inner", "x");
  const auto packed = must(run_program(
      {"tar", "-C", directory_ / "evil", "-cPf", directory_ / "evil.tar", "--transform=s,inner,../outside,", "inner"}));
  ASSERT_TRUE(packed.status.success()) << packed.err;
  [[maybe_unused]] const auto outcome = fill_from(directory_ / "evil.tar");
  EXPECT_FALSE(test::exists(directory_ / "outside"));
}

TEST_F(TemplateSourceTest, ForAnOrdinaryUserOwnersAreMappedToTheirRange) {
  make_tree();
  pack(directory_ / "root.tar");
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  test::as_pretended_user({}, [&](const std::string& scratch) -> Result<void> {
    OwnerNamespace owner(Caller::current());
    TRY_VOID(make_directories(scratch + "/layer", 0755));
    auto source = TRY(parse_template_source(directory_ / "root.tar"));
    TRY_VOID(fill_layer(source, scratch + "/layer", &owner, &progress_));
    const auto shadow = TRY(status_of(AT_FDCWD, scratch + "/layer/etc/shadow"));
    TRY_VOID(test::verify(shadow.st_uid == test::PretendedUser::kId && shadow.st_gid == 400041, "root and group 42"));
    return owner.run([&] { return remove_tree(AT_FDCWD, scratch + "/layer"); });
  });
}

}  // namespace
}  // namespace isolate
