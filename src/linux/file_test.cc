#include "linux/file.h"

#include <gtest/gtest.h>
#include <stdio.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/user_namespace.h"

namespace isolate {
namespace {

using Names = std::vector<std::string>;
using test::TempDirectory;
using test::write_text;

Fd open_directory(const std::string& path) { return test::must(open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY)); }

TEST(FileTest, ErrorsNameTheCallAndThePath) {
  EXPECT_EQ(test::message_of(open_file(AT_FDCWD, "/nonexistent", O_RDONLY)),
            "open /nonexistent: No such file or directory");
  EXPECT_EQ(test::message_of(status_of(AT_FDCWD, "/nonexistent")), "stat /nonexistent: No such file or directory");
}

TEST(FileTest, OpenedFilesAreCloseOnExec) {
  const auto fd = test::must(open_file(AT_FDCWD, "/dev/null", O_RDONLY));
  EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
}

TEST(FileTest, ReadsWholeFilesUpToTheLimit) {
  const TempDirectory directory;
  write_text(directory / "ten", "0123456789");
  EXPECT_EQ(test::must(read_file(directory / "ten", 10)), "0123456789");
  EXPECT_TRUE(test::fails_with(read_file(directory / "ten", 9), EFBIG));
  write_text(directory / "long", std::string(100000, 'x'));
  EXPECT_EQ(test::must(read_file(directory / "long")).size(), 100000U);
  EXPECT_TRUE(test::fails_with(read_file(directory.path()), EISDIR));
}

TEST(FileTest, TheErrorOfAFullDiskNamesTheFile) {
  const auto full = test::must(open_file(AT_FDCWD, "/dev/full", O_WRONLY));
  EXPECT_EQ(test::message_of(write_all(full.get(), "x", "lease file")), "write lease file: No space left on device");
}

TEST(FileTest, DirectoriesGetTheRequestedModeDespiteTheUmask) {
  const TempDirectory directory;
  const mode_t old_mask = ::umask(077);
  const auto made = make_directories(directory / "a/b/c", 0755);
  ::umask(old_mask);
  ASSERT_TRUE(test::succeeded(made));
  for (const char* name : {"a", "a/b", "a/b/c"}) {
    EXPECT_EQ(test::must(status_of(AT_FDCWD, directory / name)).st_mode & 07777, 0755U) << name;
  }
}

TEST(FileTest, ExistingDirectoriesKeepTheirMode) {
  const TempDirectory directory;
  ASSERT_EQ(::mkdir((directory / "a").c_str(), 0700), 0);
  ASSERT_TRUE(test::succeeded(make_directories(directory / "a/b", 0755)));
  EXPECT_EQ(test::must(status_of(AT_FDCWD, directory / "a")).st_mode & 07777, 0700U);
}

TEST(FileTest, AFileWhereADirectoryIsNeededIsAnError) {
  const TempDirectory directory;
  write_text(directory / "a", "");
  EXPECT_TRUE(test::fails_with(make_directories(directory / "a/b", 0755), ENOTDIR));
}

TEST(FileTest, RenamingWithoutReplacingKeepsBothFiles) {
  const TempDirectory directory;
  write_text(directory / "old", "old");
  write_text(directory / "new", "new");
  const auto fd = open_directory(directory.path());
  EXPECT_TRUE(test::fails_with(rename_file(fd.get(), "old", fd.get(), "new", RENAME_NOREPLACE), EEXIST));
  EXPECT_EQ(test::read_text(directory / "new"), "new");
  EXPECT_TRUE(test::succeeded(rename_file(fd.get(), "old", fd.get(), "new")));
  EXPECT_EQ(test::read_text(directory / "new"), "old");
}

TEST(FileTest, DirectoryListsAreSortedAndOmitDotEntries) {
  const TempDirectory directory;
  for (const char* name : {"b", "a", ".hidden", "c"}) write_text(directory / name, "");
  EXPECT_EQ(test::must(list_directory(AT_FDCWD, directory.path())), (Names{".hidden", "a", "b", "c"}));
}

TEST(FileTest, ListingDoesNotFollowALink) {
  const TempDirectory directory;
  ASSERT_EQ(::symlink("/etc", (directory / "link").c_str()), 0);
  EXPECT_TRUE(test::fails_with(list_directory(AT_FDCWD, directory / "link"), ENOTDIR));
  EXPECT_TRUE(test::fails_with(list_directory(AT_FDCWD, directory / "none"), ENOENT));
}

}  // namespace
}  // namespace isolate
