#include "linux/tree.h"

#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process.h"

namespace isolate {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using test::TempDirectory;
using test::write_text;

Fd open_directory(const std::string& path) { return test::must(open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY)); }

// Makes DEPTH nested directories with a file in the last one. It goes by descriptor, because no path may be that long.
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

TEST(RemoveTreeTest, RemovesFilesAndTreesAndAcceptsAMissingName) {
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

TEST(RemoveTreeTest, LongNamesAreRemovedAtAnyDepth) {
  const TempDirectory directory;
  auto here = open_directory(directory.path());
  const std::string longest(255, 'n');
  for (unsigned i = 0; i < 300; ++i) {
    test::must(make_directory(here.get(), longest, 0700));
    here = test::must(open_file(here.get(), longest, O_RDONLY | O_DIRECTORY));
    test::must(open_file(here.get(), std::string(255, 'f'), O_CREAT | O_WRONLY, 0600));
  }
  EXPECT_TRUE(test::succeeded(remove_tree(open_directory(directory.path()).get(), longest)));
  EXPECT_FALSE(test::exists(directory / longest));
}

TEST(RemoveTreeTest, StopsAtTheDeadlineAndContinuesAtTheNextCall) {
  const TempDirectory directory;
  make_deep_tree(directory / "deep", 3000);
  const auto top = open_directory(directory.path());
  EXPECT_TRUE(test::fails_with(remove_tree(top.get(), "deep", steady_clock::now()), ETIMEDOUT));
  EXPECT_TRUE(test::exists(directory / "deep"));
  int calls = 0;
  while (test::exists(directory / "deep") && calls < 10000) {
    const auto removed = remove_tree(top.get(), "deep", deadline_in(milliseconds(2)));
    if (!removed) {
      ASSERT_TRUE(test::fails_with(removed, ETIMEDOUT));
    }
    ++calls;
  }
  EXPECT_FALSE(test::exists(directory / "deep"));
  EXPECT_GT(calls, 1);
}

// Stands for a guest that still has the clone mounted and keeps writing. The scheduler decides which process is faster.
TEST(RemoveTreeTest, ATreeThatKeepsGrowingDoesNotOutlastTheDeadline) {
  const TempDirectory directory;
  write_text(directory / "tree/upper/file", "x");
  const auto tree = open_directory(directory / "tree");
  std::vector<ChildProcess> writers;
  for (int writer = 0; writer < 3; ++writer) {
    writers.push_back(test::must(fork_child(0, [&tree, writer] {
      for (unsigned i = 0;; ++i) {
        const auto name = std::to_string(writer) + "-" + std::to_string(i);
        if (::mkdirat(tree.get(), name.c_str(), 0700) != 0) return 1;
        open_file(tree.get(), name + "/file", O_CREAT | O_WRONLY, 0600);
      }
    })));
  }
  const auto start = steady_clock::now();
  auto removed = remove_tree(open_directory(directory.path()).get(), "tree", deadline_in(milliseconds(300)));
  EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(3));
  EXPECT_TRUE(removed || removed.error().code() == ETIMEDOUT) << test::message_of(removed);
  writers.clear();
  EXPECT_TRUE(test::succeeded(remove_tree(open_directory(directory.path()).get(), "tree")));
  EXPECT_FALSE(test::exists(directory / "tree"));
}

void change_attributes(const std::string& path, int added, int removed = 0) {
  const auto file = test::must(open_file(AT_FDCWD, path, O_RDONLY));
  int flags = 0;
  ASSERT_EQ(::ioctl(file.get(), FS_IOC_GETFLAGS, &flags), 0) << path << ": errno " << errno;
  flags = (flags | added) & ~removed;
  ASSERT_EQ(::ioctl(file.get(), FS_IOC_SETFLAGS, &flags), 0) << path << ": errno " << errno;
}

// A guest of the engine chroot is root on the host, and can set these attributes.
TEST(RemoveTreeTest, RootRemovesImmutableAndAppendOnlyFiles) {
  REQUIRE_ROOT();
  const TempDirectory directory;
  write_text(directory / "tree/file", "x");
  write_text(directory / "tree/kept/file", "x");
  write_text(directory / "tree/log/file", "x");
  write_text(directory / "outside", "x");
  ASSERT_EQ(::symlink("../outside", (directory / "tree/link").c_str()), 0);
  ASSERT_EQ(::mkfifo((directory / "tree/kept/pipe").c_str(), 0600), 0);
  make_deep_tree(directory / "tree/deep", 60);
  write_text(directory / "tree/kept/empty/file", "x");
  change_attributes(directory / "outside", FS_IMMUTABLE_FL);
  for (const char* path : {"tree/file", "tree/kept/file", "tree/kept"})
    change_attributes(directory / path, FS_IMMUTABLE_FL);
  for (const char* path : {"tree/log/file", "tree/log"}) change_attributes(directory / path, FS_APPEND_FL);
  change_attributes(directory / "tree", FS_IMMUTABLE_FL);
  EXPECT_TRUE(test::succeeded(remove_tree(open_directory(directory.path()).get(), "tree")));
  EXPECT_FALSE(test::exists(directory / "tree"));
  EXPECT_NE(::unlink((directory / "outside").c_str()), 0) << "the target of a link must keep its attributes";
  change_attributes(directory / "outside", 0, FS_IMMUTABLE_FL);
}

TEST(RemoveTreeTest, ManyDeepBranchesAreRemoved) {
  const TempDirectory directory;
  for (int i = 0; i < 5; ++i) make_deep_tree(directory / ("top/" + std::to_string(i)), 200);
  EXPECT_TRUE(test::succeeded(remove_tree(open_directory(directory.path()).get(), "top")));
  EXPECT_FALSE(test::exists(directory / "top"));
}

// The guest chooses the names in the tree and may use those that the removal uses.
TEST(RemoveTreeTest, NamesUsedByTheRemovalItselfDoNotMatter) {
  const TempDirectory directory;
  for (int i = 0; i < 40; ++i) make_deep_tree(directory / ("top/" + std::to_string(i)), 70);
  for (int i = 0; i < 40; ++i) write_text(directory / ("top/.deep-" + std::to_string(i) + "/file"), "");
  EXPECT_TRUE(test::succeeded(remove_tree(open_directory(directory.path()).get(), "top")));
  EXPECT_FALSE(test::exists(directory / "top"));
}

TEST(RemoveTreeTest, TheTargetOfALinkStays) {
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

TEST(RemoveTreeTest, DoesNotCrossAMount) {
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

TEST(RemoveTreeTest, AMissingNameIsNoErrorOnAReadOnlyFileSystem) {
  REQUIRE_ROOT();
  const TempDirectory directory;
  write_text(directory / "file", "");
  test::in_private_mounts([&]() -> Result<void> {
    TRY_VOID(test::bind_over(directory.path(), directory.path()));
    if (::mount(nullptr, directory.path().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0)
      return fail(errno, "remount");
    const auto top = open_directory(directory.path());
    TRY_VOID(remove_tree(top.get(), "none"));
    return test::verify(test::fails_with(remove_tree(top.get(), "file"), EROFS), "EROFS for a file that exists");
  });
}

TEST(TreeUsageTest, CountsFilesAndTheirDiskUse) {
  const TempDirectory directory;
  write_text(directory / "tree/a/big", std::string(1 << 20, 'x'));
  write_text(directory / "tree/small", "x");
  const auto usage = test::must(tree_usage(AT_FDCWD, directory / "tree"));
  EXPECT_EQ(usage.files, 3U);
  EXPECT_GE(usage.bytes, 1U << 20);
  EXPECT_LT(usage.bytes, 2U << 20);
}

TEST(TreeUsageTest, DoesNotCountTheTargetOfALink) {
  const TempDirectory directory;
  write_text(directory / "big/file", std::string(1 << 20, 'x'));
  ASSERT_EQ(::mkdir((directory / "tree").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("../big", (directory / "tree/link").c_str()), 0);
  const auto usage = test::must(tree_usage(AT_FDCWD, directory / "tree"));
  EXPECT_EQ(usage.files, 1U);
  EXPECT_LT(usage.bytes, 65536U);
}

// A guest decides how deep its clone is, and isolatectl ps has to show it.
TEST(TreeUsageTest, CountsTreesOfAnyDepth) {
  const TempDirectory directory;
  make_deep_tree(directory / "deep", 3000);
  test::in_child([&]() -> Result<void> {
    TRY_VOID(allow_few_descriptors());
    return test::verify(TRY(tree_usage(AT_FDCWD, directory / "deep")).files == 3001, "3,000 directories and a file");
  });
}

TEST(TreeUsageTest, StopsAtTheDeadlineAndSaysSo) {
  const TempDirectory directory;
  make_deep_tree(directory / "deep", 3000);
  const auto usage = test::must(tree_usage(AT_FDCWD, directory / "deep", steady_clock::now()));
  EXPECT_FALSE(usage.is_complete);
  EXPECT_LT(usage.files, 3001U);
  EXPECT_TRUE(test::must(tree_usage(AT_FDCWD, directory / "deep", deadline_in(std::chrono::minutes(1)))).is_complete);
}

}  // namespace
}  // namespace isolate
