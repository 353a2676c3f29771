#include "store/zfs_records.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/testing.h"
#include "base/text.h"
#include "linux/boot_id.h"
#include "linux/file.h"
#include "store/zfs_mount.h"

namespace isolate::zfs {
namespace {

using test::must;
using test::write_text;

class ZfsRecordsTest : public ::testing::Test {
 protected:
  ZfsRecordsTest() : records_(directory_.path(), "deb") {
    for (const auto& property : text::split(inherited_mount_properties(), ',')) {
      record_.parent.properties[property] = {"on", false};
    }
    record_.newest = Generation{"deb", 7, {}, "pool/deb@one"};
  }
  void make_pool() const { ASSERT_EQ(::mkdir((directory_ / "deb").c_str(), 0700), 0); }
  std::string file() const { return directory_ / "deb/newest"; }

  test::TempDirectory directory_;
  Records records_;
  Record record_;
};

TEST_F(ZfsRecordsTest, WhatWasWrittenLastIsRead) {
  make_pool();
  EXPECT_FALSE(records_.read());
  must(records_.write(record_));
  record_.newest = Generation{"deb", 8, {}, "pool/deb@two"};
  record_.parent.properties["setuid"].value = "off";
  must(records_.write(record_));
  const auto read = records_.read();
  ASSERT_TRUE(read);
  EXPECT_EQ(read->newest.number, 8U);
  EXPECT_EQ(read->newest.snapshot, "pool/deb@two");
  EXPECT_EQ(read->newest.template_name, "deb");
  EXPECT_EQ(read->parent.value("setuid"), "off");
  EXPECT_EQ(read->parent.value("exec"), "on");
  must(records_.remove());
  must(records_.remove());
  EXPECT_FALSE(records_.read());
}

TEST_F(ZfsRecordsTest, ATemplateWithoutClonesGetsNoRecord) {
  EXPECT_TRUE(test::fails_with(records_.write(record_), ENOENT));
  EXPECT_TRUE(test::fails_with(records_.lock(), ENOENT));
  EXPECT_FALSE(records_.read());
}

TEST_F(ZfsRecordsTest, ARecordWithAMalformedGenerationCountsAsNone) {
  make_pool();
  must(records_.write(record_));
  const auto whole = must(read_file(file()));
  const auto properties = whole.substr(whole.find('\n'));
  const auto boot = must(boot_id()) + " ";
  for (const char* generation : {"", "7", "7 ", "x pool/deb@one", "-1 pool/deb@one", " pool/deb@one"}) {
    write_text(file(), boot + generation + properties);
    EXPECT_FALSE(records_.read()) << generation;
  }
  write_text(file(), boot + "7 pool/deb@one" + properties);
  EXPECT_TRUE(records_.read());
  // After a crash a record that was removed may be there again.
  for (const char* other : {"", "5f0b8d6e-7f39-4c7a-9d0c-1f3f4a6f0d11 "}) {
    write_text(file(), other + std::string("7 pool/deb@one") + properties);
    EXPECT_FALSE(records_.read()) << other;
  }
}

// A missing "setuid" would count as "on".
TEST_F(ZfsRecordsTest, ARecordThatLacksAPropertyCountsAsNone) {
  make_pool();
  record_.parent.properties.erase("setuid");
  must(records_.write(record_));
  EXPECT_FALSE(records_.read());
  write_text(file(), must(boot_id()) + " 7 pool/deb@one\n");
  EXPECT_FALSE(records_.read());
}

TEST_F(ZfsRecordsTest, OnlyOneAtATimeHoldsTheLock) {
  make_pool();
  const auto held = must(records_.lock());
  EXPECT_TRUE(FileLock::is_held_by_others(must(open_file(AT_FDCWD, file() + ".lock", O_RDWR))));
}

}  // namespace
}  // namespace isolate::zfs
