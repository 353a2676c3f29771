#include "isolatectl/template_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"
#include "store/overlay_store.h"

namespace isolate {
namespace {

using test::message_of;
using test::must;
using test::TempDirectory;
using test::write_text;

TemplateFiles files_of(const std::string& directory) {
  return TemplateFiles(must(open_file(AT_FDCWD, directory, O_PATH | O_DIRECTORY)));
}

TEST(TemplateFilesTest, LinksStayInside) {
  const TempDirectory scratch;
  write_text(scratch / "secret", "outside");
  write_text(scratch / "root/etc/file", "inside");
  write_text(scratch / "root/secret", "inside");
  for (const auto& [link, target] : std::vector<std::pair<std::string, std::string>>{{"absolute", "/etc/file"},
                                                                                     {"up", "../../../../secret"},
                                                                                     {"host", scratch / "secret"},
                                                                                     {"magic", "/proc/self/exe"}}) {
    ASSERT_EQ(::symlink(target.c_str(), (scratch / ("root/" + link)).c_str()), 0);
  }
  const auto files = files_of(scratch / "root");
  EXPECT_EQ(must(files.read("/absolute", 100)), "inside");
  EXPECT_EQ(must(files.read("/up", 100)), "inside");
  EXPECT_EQ(must(files.read("../../secret", 100)), "inside");
  EXPECT_TRUE(test::fails_with(files.read("/host", 100), ENOENT));
  EXPECT_TRUE(test::fails_with(files.read("/magic", 100), ENOENT));
}

TEST(TemplateFilesTest, OnlyRegularFilesAreOpened) {
  REQUIRE_ROOT();
  const TempDirectory scratch;
  ASSERT_EQ(::mkfifo((scratch / "pipe").c_str(), 0600), 0);
  ASSERT_EQ(::mkdir((scratch / "directory").c_str(), 0700), 0);
  ASSERT_EQ(::mknod((scratch / "device").c_str(), S_IFCHR | 0600, makedev(1, 5)), 0);
  const auto files = files_of(scratch.path());
  for (const char* name : {"pipe", "directory", "device"}) {
    EXPECT_NE(message_of(files.read(name, 100)).find("not a regular file"), std::string::npos) << name;
  }
}

TEST(TemplateFilesTest, ALargeFileIsRefusedBeforeItIsRead) {
  const TempDirectory scratch;
  write_text(scratch / "sparse", "");
  ASSERT_EQ(::truncate((scratch / "sparse").c_str(), off_t{1} << 40), 0);
  write_text(scratch / "fits", "1234");
  const auto files = files_of(scratch.path());
  EXPECT_TRUE(test::fails_with(files.read("sparse", 1 << 20), EFBIG));
  EXPECT_TRUE(test::fails_with(files.read("fits", 3), EFBIG));
  EXPECT_EQ(must(files.read("fits", 4)), "1234");
}

TEST(TemplateFilesTest, NamesAreSortedAndLimited) {
  const TempDirectory scratch;
  for (const char* name : {"c", "a", "b"}) write_text(scratch / (std::string("usr/") + name), "");
  ASSERT_EQ(::symlink(scratch.path().c_str(), (scratch / "out").c_str()), 0);
  const auto files = files_of(scratch.path());
  EXPECT_EQ(must(files.names("/usr", 10)), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(must(files.names("/usr", 2)).size(), 2U);
  EXPECT_FALSE(files.names("/out", 10));
  EXPECT_FALSE(files.names("/usr/a", 10));
}

TEST(TemplateFilesTest, LayersAreReadAsAGuestSeesThem) {
  REQUIRE_ROOT();
  const TempDirectory scratch;
  OwnerNamespace owner(Caller::current());
  auto store =
      std::make_unique<OverlayStore>(must(OverlayStore::open(scratch / "s,t:ore", &owner, MissingStore::create)));
  test::add_template(*store, "t", {"etc/below", "etc/changed", "etc/removed"});
  const auto base = must(store->newest_generation("t"));
  must(store->make_clone(base, "t-1"));
  const auto upper = scratch / "s,t:ore/clones/t-1/upper";
  write_text(upper + "/etc/changed", "new");
  ASSERT_EQ(::mknod((upper + "/etc/removed").c_str(), S_IFCHR, 0), 0);
  ASSERT_EQ(::symlink("/etc/below", (upper + "/link").c_str()), 0);
  must(store->publish_clone(base, "t-1"));
  const TemplatePlace place{std::move(store), "t"};
  const auto files = must(TemplateFiles::open(place, &owner));
  EXPECT_EQ(must(files.read("/etc/changed", 100)), "new");
  EXPECT_EQ(must(files.read("/link", 100)), "etc/below");
  EXPECT_TRUE(test::fails_with(files.read("/etc/removed", 100), ENOENT));
  EXPECT_EQ(must(files.names("/etc", 10)), (std::vector<std::string>{"below", "changed"}));
}

}  // namespace
}  // namespace isolate
