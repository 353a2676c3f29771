#include "linux/file.h"

#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/user_namespace.h"

namespace isolate {
namespace {

using Names = std::vector<std::string>;
using test::TempDirectory;
using test::write_text;

Fd open_directory(const std::string& path) { return test::must(open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY)); }

TEST(FileTest, ErrorsNameCallAndPath) {
  EXPECT_EQ(test::message_of(open_file(AT_FDCWD, "/nonexistent", O_RDONLY)),
            "open /nonexistent: No such file or directory");
  EXPECT_EQ(test::message_of(status_of(AT_FDCWD, "/nonexistent")), "stat /nonexistent: No such file or directory");
}

TEST(FileTest, OpenedFilesAreClosedAtExecve) {
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

TEST(FileTest, AFullDiskIsAnErrorThatNamesTheFile) {
  const auto full = test::must(open_file(AT_FDCWD, "/dev/full", O_WRONLY));
  EXPECT_EQ(test::message_of(write_all(full.get(), "x", "lease file")), "write lease file: No space left on device");
}

TEST(FileTest, DirectoriesAreMadeWithExactlyTheModeAskedFor) {
  const TempDirectory directory;
  const mode_t old_mask = ::umask(077);
  const auto made = make_directories(directory / "a/b/c", 0755);
  ::umask(old_mask);
  ASSERT_TRUE(test::succeeded(made));
  for (const char* name : {"a", "a/b", "a/b/c"}) {
    EXPECT_EQ(test::must(status_of(AT_FDCWD, directory / name)).st_mode & 07777, 0755U) << name;
  }
}

TEST(FileTest, DirectoriesThatExistKeepTheirMode) {
  const TempDirectory directory;
  ASSERT_EQ(::mkdir((directory / "a").c_str(), 0700), 0);
  ASSERT_TRUE(test::succeeded(make_directories(directory / "a/b", 0755)));
  EXPECT_EQ(test::must(status_of(AT_FDCWD, directory / "a")).st_mode & 07777, 0700U);
}

TEST(FileTest, AFileInTheWayOfADirectoryIsAnError) {
  const TempDirectory directory;
  write_text(directory / "a", "");
  EXPECT_TRUE(test::fails_with(make_directories(directory / "a/b", 0755), ENOTDIR));
}

TEST(FileTest, RenamingWithoutReplacingLeavesBoth) {
  const TempDirectory directory;
  write_text(directory / "old", "old");
  write_text(directory / "new", "new");
  const auto fd = open_directory(directory.path());
  EXPECT_TRUE(test::fails_with(rename_file(fd.get(), "old", fd.get(), "new", RENAME_NOREPLACE), EEXIST));
  EXPECT_EQ(test::read_text(directory / "new"), "new");
  EXPECT_TRUE(test::succeeded(rename_file(fd.get(), "old", fd.get(), "new")));
  EXPECT_EQ(test::read_text(directory / "new"), "old");
}

TEST(FileTest, ListsAreSortedAndWithoutDots) {
  const TempDirectory directory;
  for (const char* name : {"b", "a", ".hidden", "c"}) write_text(directory / name, "");
  EXPECT_EQ(test::must(list_directory(AT_FDCWD, directory.path())), (Names{".hidden", "a", "b", "c"}));
}

TEST(FileTest, ListingFollowsNoLink) {
  const TempDirectory directory;
  ASSERT_EQ(::symlink("/etc", (directory / "link").c_str()), 0);
  EXPECT_TRUE(test::fails_with(list_directory(AT_FDCWD, directory / "link"), ENOTDIR));
  EXPECT_TRUE(test::fails_with(list_directory(AT_FDCWD, directory / "none"), ENOENT));
}

// DEPTH directories in each other, with a file in the last one. No path is that long: by descriptor.
void make_deep_tree(const std::string& top, unsigned depth) {
  test::must(make_directories(top, 0700));
  auto here = open_directory(top);
  for (unsigned i = 0; i < depth; ++i) {
    test::must(make_directory(here.get(), "d", 0700));
    here = test::must(open_file(here.get(), "d", O_RDONLY | O_DIRECTORY));
  }
  test::must(open_file(here.get(), "file", O_CREAT | O_WRONLY, 0600));
}

Result<void> allow_few_descriptors() {
  const rlimit few{128, 128};
  if (::setrlimit(RLIMIT_NOFILE, &few) != 0) return fail(errno, "setrlimit");
  return {};
}

TEST(RemoveTreeTest, RemovesFilesAndTreesAndWhatIsNotThere) {
  const TempDirectory directory;
  write_text(directory / "file", "x");
  write_text(directory / "tree/a/b/file", "x");
  write_text(directory / "tree/a/.hidden", "x");
  ASSERT_EQ(::mkfifo((directory / "tree/pipe").c_str(), 0600), 0);
  const auto fd = open_directory(directory.path());
  for (const char* name : {"file", "tree", "none"}) {
    EXPECT_TRUE(test::succeeded(remove_tree(fd.get(), name))) << name;
    EXPECT_FALSE(test::exists(directory / name)) << name;
  }
}

TEST(RemoveTreeTest, ThreeThousandLevelsNeedFewDescriptors) {
  const TempDirectory directory;
  make_deep_tree(directory / "deep", 3000);
  test::in_child([&]() -> Result<void> {
    TRY_VOID(allow_few_descriptors());
    return remove_tree(open_directory(directory.path()).get(), "deep");
  });
  EXPECT_FALSE(test::exists(directory / "deep"));
}

TEST(RemoveTreeTest, ManyDeepBranchesAreRemoved) {
  const TempDirectory directory;
  for (int i = 0; i < 5; ++i) make_deep_tree(directory / ("top/" + std::to_string(i)), 200);
  EXPECT_TRUE(test::succeeded(remove_tree(open_directory(directory.path()).get(), "top")));
  EXPECT_FALSE(test::exists(directory / "top"));
}

// Whoever fills the tree chooses its names, also those that the removal uses for itself.
TEST(RemoveTreeTest, NoNameInTheTreeIsInTheWay) {
  const TempDirectory directory;
  for (int i = 0; i < 40; ++i) make_deep_tree(directory / ("top/" + std::to_string(i)), 70);
  for (int i = 0; i < 40; ++i) write_text(directory / ("top/.deep-" + std::to_string(i) + "/file"), "");
  EXPECT_TRUE(test::succeeded(remove_tree(open_directory(directory.path()).get(), "top")));
  EXPECT_FALSE(test::exists(directory / "top"));
}

TEST(RemoveTreeTest, WhatALinkLeadsToStays) {
  const TempDirectory directory;
  write_text(directory / "outside/file", "precious");
  ASSERT_EQ(::mkdir((directory / "tree").c_str(), 0700), 0);
  ASSERT_EQ(::symlink((directory / "outside").c_str(), (directory / "tree/directory").c_str()), 0);
  ASSERT_EQ(::symlink("../outside/file", (directory / "tree/file").c_str()), 0);
  ASSERT_EQ(::symlink((directory / "outside").c_str(), (directory / "link").c_str()), 0);
  const auto fd = open_directory(directory.path());
  EXPECT_TRUE(test::succeeded(remove_tree(fd.get(), "tree")));
  EXPECT_TRUE(test::succeeded(remove_tree(fd.get(), "link")));
  EXPECT_FALSE(test::exists(directory / "tree"));
  EXPECT_FALSE(test::exists(directory / "link"));
  EXPECT_EQ(test::read_text(directory / "outside/file"), "precious");
}

TEST(RemoveTreeTest, DoesNotGoIntoAMount) {
  REQUIRE_ROOT();
  const TempDirectory directory;
  write_text(directory / "tree/below/file", "");
  test::in_private_mounts([&]() -> Result<void> {
    const std::string mounted = directory / "tree/below";
    if (::mount("tmpfs", mounted.c_str(), "tmpfs", 0, nullptr) != 0) return fail(errno, "mount");
    write_text(mounted + "/precious", "x");
    auto removed = remove_tree(open_directory(directory.path()).get(), "tree");
    TRY_VOID(test::verify(!removed, "an error"));
    return test::verify(test::exists(mounted + "/precious"), "the file on the other file system is still there");
  });
}

TEST(RemoveTreeTest, WhatIsNotThereIsNoErrorOnAReadOnlyFileSystemEither) {
  REQUIRE_ROOT();
  const TempDirectory directory;
  write_text(directory / "file", "");
  test::in_private_mounts([&]() -> Result<void> {
    TRY_VOID(test::bind_over(directory.path(), directory.path()));
    if (::mount(nullptr, directory.path().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0)
      return fail(errno, "remount");
    const auto top = open_directory(directory.path());
    TRY_VOID(remove_tree(top.get(), "none"));
    return test::verify(test::fails_with(remove_tree(top.get(), "file"), EROFS), "what is there stays, with an error");
  });
}

TEST(TreeUsageTest, CountsFilesAndWhatTheyTake) {
  const TempDirectory directory;
  write_text(directory / "tree/a/big", std::string(1 << 20, 'x'));
  write_text(directory / "tree/small", "x");
  const auto usage = test::must(tree_usage(AT_FDCWD, directory / "tree"));
  EXPECT_EQ(usage.files, 3U);
  EXPECT_GE(usage.bytes, 1U << 20);
  EXPECT_LT(usage.bytes, 2U << 20);
}

TEST(TreeUsageTest, DoesNotCountWhatALinkLeadsTo) {
  const TempDirectory directory;
  write_text(directory / "big/file", std::string(1 << 20, 'x'));
  ASSERT_EQ(::mkdir((directory / "tree").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("../big", (directory / "tree/link").c_str()), 0);
  const auto usage = test::must(tree_usage(AT_FDCWD, directory / "tree"));
  EXPECT_EQ(usage.files, 1U);
  EXPECT_LT(usage.bytes, 65536U);
}

// A guest decides how deep its clone is; isolatectl ps must show it all the same.
TEST(TreeUsageTest, CountsTreesOfAnyDepth) {
  const TempDirectory directory;
  make_deep_tree(directory / "deep", 3000);
  test::in_child([&]() -> Result<void> {
    TRY_VOID(allow_few_descriptors());
    return test::verify(TRY(tree_usage(AT_FDCWD, directory / "deep")).files == 3001, "3,000 directories and a file");
  });
}

}  // namespace
}  // namespace isolate
