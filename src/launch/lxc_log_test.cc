#include "launch/lxc_log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

class LxcLogFileTest : public ::testing::Test {
 protected:
  std::string path() const { return folder_ / "log"; }
  void refused(const std::string& why) const {
    const auto log = LxcLog::open(path());
    ASSERT_FALSE(log);
    EXPECT_NE(log.error().message().find(why), std::string::npos) << log.error().message();
    EXPECT_NE(log.error().message().find("DEBUG_LXC_SPAWN"), std::string::npos);
  }
  test::TempDirectory folder_;
};

TEST_F(LxcLogFileTest, HoldsWhatWasWrittenLast) {
  test::write_text(path(), "of a run before this one");
  const auto log = LxcLog::open(path());
  ASSERT_TRUE(log);
  ASSERT_TRUE(write_all(log->memory(), "started", "log"));
  ASSERT_TRUE(log->save());
  EXPECT_EQ(test::read_text(path()), "started");
}

TEST_F(LxcLogFileTest, IsTheCallersAlone) {
  ASSERT_TRUE(LxcLog::open(path()));
  struct stat status {};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(LxcLogFileTest, LinkIsNotFollowed) {
  test::write_text(folder_ / "other", "kept");
  ASSERT_EQ(::symlink("other", path().c_str()), 0);
  refused("symbolic link");
  EXPECT_EQ(test::read_text(folder_ / "other"), "kept");
}

TEST_F(LxcLogFileTest, SecondNameIsNotWrittenTo) {
  test::write_text(folder_ / "other", "kept");
  ASSERT_EQ(::link((folder_ / "other").c_str(), path().c_str()), 0);
  refused("another name");
  EXPECT_EQ(test::read_text(folder_ / "other"), "kept");
}

TEST_F(LxcLogFileTest, AnothersFileIsNotWrittenTo) {
  REQUIRE_ROOT();
  test::write_text(path(), "kept");
  ASSERT_EQ(::chown(path().c_str(), 12345, 12345), 0);
  refused("somebody else");
  EXPECT_EQ(test::read_text(path()), "kept");
}

TEST_F(LxcLogFileTest, PipeIsNotWaitedFor) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  EXPECT_FALSE(LxcLog::open(path()));
}

}  // namespace
}  // namespace isolate
