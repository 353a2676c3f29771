#include "linux/root_path.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/user_namespace.h"

namespace isolate {
namespace {

class RootPathTest : public ::testing::Test {
 protected:
  // The root under test is "root". Nothing may ever be created in "outside", which lies beside it.
  RootPathTest() {
    std::filesystem::create_directories(directory_ / "root/etc");
    std::filesystem::create_directories(directory_ / "outside");
    root_ = test::must(open_file(AT_FDCWD, directory_ / "root", O_PATH | O_DIRECTORY));
  }
  void write(const std::string& name, const std::string& text) const {
    test::write_text(directory_ / "root/" + name, text);
  }
  void link(const std::string& target, const std::string& name) const {
    std::filesystem::create_symlink(target, directory_ / "root/" + name);
  }
  bool exists(const std::string& name) const { return test::exists(directory_ / name); }
  Result<std::string> content(const std::string& path) const {
    auto file = TRY(root_path::open(root_.get(), path, O_RDONLY));
    return read_all(file.get());
  }
  void expect_nothing_outside() const {
    EXPECT_TRUE(test::names_below(directory_ / "outside").empty());
    EXPECT_EQ(test::must(list_directory(AT_FDCWD, directory_.path())), (std::vector<std::string>{"outside", "root"}));
  }

  test::TempDirectory directory_;
  Fd root_;
};

TEST_F(RootPathTest, AbsoluteLinksStartAtTheRoot) {
  write("etc/passwd", "of the root");
  link("/etc/passwd", "link");
  link("/etc", "directory");
  EXPECT_EQ(test::must(content("/link")), "of the root");
  EXPECT_EQ(test::must(content("directory/passwd")), "of the root");
}

TEST_F(RootPathTest, DotDotDoesNotLeadAboveTheRoot) {
  write("etc/passwd", "of the root");
  link("../../../../../../../etc/passwd", "link");
  EXPECT_EQ(test::must(content("/link")), "of the root");
  EXPECT_EQ(test::must(content("/etc/../../../../../etc/passwd")), "of the root");
}

TEST_F(RootPathTest, FilesOutsideTheRootAreNotFound) {
  link(directory_ / "outside", "link");
  test::write_text(directory_ / "outside/file", "x");
  EXPECT_TRUE(test::fails_with(content("/link/file"), ENOENT));
  EXPECT_TRUE(test::fails_with(content("../outside/file"), ENOENT));
}

TEST_F(RootPathTest, MagicLinksAreRefused) {
  REQUIRE_ROOT();
  std::filesystem::create_directories(directory_ / "root/proc");
  test::in_private_mounts([&]() -> Result<void> {
    TRY_VOID(test::bind_over("/proc", directory_ / "root/proc"));
    // Open the root again: the other descriptor belongs to the old mount namespace.
    const auto root = TRY(open_file(AT_FDCWD, directory_ / "root", O_PATH | O_DIRECTORY));
    auto status = root_path::open(root.get(), "/proc/self/status", O_RDONLY);
    TRY_VOID(test::verify(status.has_value(), "ordinary files of /proc can be opened"));
    for (const char* magic : {"/proc/self/root", "/proc/self/root/etc", "/proc/self/cwd", "/proc/self/exe"}) {
      auto opened = root_path::open(root.get(), magic, O_PATH);
      TRY_VOID(test::verify(!opened && opened.error().code() == ELOOP, std::string("ELOOP for ") + magic));
    }
    auto made = root_path::directory(root.get(), "/proc/self/root/made-by-test", true);
    return test::verify(!made && made.error().code() == ELOOP, "ELOOP when creating a directory");
  });
  EXPECT_FALSE(test::exists("/made-by-test"));
}

TEST_F(RootPathTest, ALoopOfLinksIsAnError) {
  link("b", "a");
  link("a", "b");
  EXPECT_TRUE(test::fails_with(content("/a"), ELOOP));
  EXPECT_TRUE(test::fails_with(root_path::directory(root_.get(), "/a/x", true), ELOOP));
}

TEST_F(RootPathTest, DirectoriesAreCreatedOnlyOnRequest) {
  EXPECT_TRUE(test::fails_with(root_path::directory(root_.get(), "/a/b/c", false), ENOENT));
  EXPECT_FALSE(exists("root/a"));
  EXPECT_TRUE(test::succeeded(root_path::directory(root_.get(), "/a//b/./c/", true)));
  EXPECT_TRUE(exists("root/a/b/c"));
}

TEST_F(RootPathTest, DirectoriesAreCreatedThroughLinksThatStayInside) {
  link("/etc", "link");
  EXPECT_TRUE(test::succeeded(root_path::directory(root_.get(), "/link/made", true)));
  EXPECT_TRUE(exists("root/etc/made"));
  EXPECT_TRUE(test::succeeded(root_path::directory(root_.get(), "/../../new/made", true)));
  EXPECT_TRUE(exists("root/new/made"));
  expect_nothing_outside();
}

TEST_F(RootPathTest, NothingIsCreatedThroughADanglingLink) {
  link(directory_ / "outside", "absolute");
  link("../outside/made", "relative");
  const auto made = root_path::directory(root_.get(), "/absolute/made", true);
  EXPECT_EQ(test::message_of(made), "'/absolute' in the root is a symbolic link that leads nowhere inside it");
  EXPECT_FALSE(root_path::directory(root_.get(), "/relative", true));
  // file() returns the link itself, as a place to mount on.
  struct stat status {};
  const auto covered = test::must(root_path::file(root_.get(), "/relative", true));
  ASSERT_EQ(::fstat(covered.get(), &status), 0);
  EXPECT_TRUE(S_ISLNK(status.st_mode));
  EXPECT_FALSE(root_path::file(root_.get(), "/absolute/file", true));
  EXPECT_FALSE(root_path::directory_in_place_of_link(root_.get(), "/absolute/made"));
  EXPECT_TRUE(test::succeeded(root_path::directory_in_place_of_link(root_.get(), "/relative")));
  EXPECT_TRUE(exists("root/relative"));
  expect_nothing_outside();
}

TEST_F(RootPathTest, ALinkWithATargetIsNotReplaced) {
  test::must(root_path::file(root_.get(), "/file", true));
  link("file", "link");
  EXPECT_FALSE(root_path::directory_in_place_of_link(root_.get(), "/link"));
  EXPECT_FALSE(root_path::directory_in_place_of_link(root_.get(), "/file"));
  EXPECT_EQ(root_path::first_non_directory(root_.get(), "/link/below"), "/link");
  EXPECT_EQ(root_path::first_non_directory(root_.get(), "/nothing/below"), "");
}

TEST_F(RootPathTest, AFileIsNotTakenForADirectory) {
  write("file", "x");
  EXPECT_TRUE(test::fails_with(root_path::directory(root_.get(), "/file", true), ENOTDIR));
  EXPECT_TRUE(test::fails_with(root_path::directory(root_.get(), "/file/below", true), ENOTDIR));
  EXPECT_EQ(test::read_text(directory_ / "root/file"), "x");
}

TEST_F(RootPathTest, AMissingFileIsCreatedEmptyWithItsDirectories) {
  EXPECT_TRUE(test::fails_with(root_path::file(root_.get(), "/a/b/file", false), ENOENT));
  EXPECT_FALSE(exists("root/a"));
  const auto made = root_path::file(root_.get(), "/a/b/file", true);
  ASSERT_TRUE(test::succeeded(made));
  EXPECT_EQ(test::must(status_of(made->get(), "", AT_EMPTY_PATH)).st_size, 0);
  EXPECT_TRUE(exists("root/a/b/file"));
}

TEST_F(RootPathTest, AnExistingFileIsUnchanged) {
  write("etc/real", "content");
  link("/etc/real", "link");
  const auto file = root_path::file(root_.get(), "/link", true);
  ASSERT_TRUE(test::succeeded(file));
  EXPECT_EQ(test::must(status_of(file->get(), "", AT_EMPTY_PATH)).st_size, 7);
  EXPECT_EQ(test::read_text(directory_ / "root/etc/real"), "content");
}

}  // namespace
}  // namespace isolate
