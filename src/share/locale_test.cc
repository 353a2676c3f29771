#include "share/locale.h"

#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

TEST(LocaleTest, OnDiskACodesetHasSmallLettersAndDigitsOnly) {
  EXPECT_EQ(name_on_disk("de_DE.UTF-8"), "de_DE.utf8");
  EXPECT_EQ(name_on_disk("sr_RS.UTF-8@latin"), "sr_RS.utf8@latin");
  EXPECT_EQ(name_on_disk("de_DE"), "de_DE");
  EXPECT_EQ(name_on_disk("C"), "C");
}

class SettledLocaleTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(make_directories(root_ + "/usr/lib/locale", 0755)); }

  std::vector<std::string> settle(const std::string& locale) {
    SharePlan plan;
    plan.locale = locale;
    settle_locale({root_}, &plan);
    warnings_ = plan.warnings.size();
    return plan.environment;
  }
  using Texts = std::vector<std::string>;

  test::TempDirectory directory_;
  std::string root_ = directory_.path() + "/root";
  std::size_t warnings_ = 0;
};

// In a hostile root it may be a device, which does something when it is opened.
TEST_F(SettledLocaleTest, AnArchiveThatIsNoFileIsNotOpened) {
  const auto archive = root_ + "/usr/lib/locale/locale-archive";
  ASSERT_EQ(::mkfifo(archive.c_str(), 0600), 0);
  const Fd watch(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  ASSERT_GE(::inotify_add_watch(watch.get(), archive.c_str(), IN_OPEN), 0);
  EXPECT_EQ(settle("de_DE.UTF-8"), Texts{"LANG=C.UTF-8"});
  char event[4096];
  EXPECT_EQ(::read(watch.get(), event, sizeof event), -1);
}

TEST_F(SettledLocaleTest, ALocaleThatTheRootHasIsUsed) {
  ASSERT_TRUE(make_directories(root_ + "/usr/lib/locale/de_DE.utf8", 0755));
  EXPECT_EQ(settle("de_DE.UTF-8"), Texts{"LANG=de_DE.UTF-8"});
  ASSERT_TRUE(replace_file(root_ + "/usr/lib/locale/locale-archive", std::string("x\0fr_FR.utf8\0y", 14), 0644));
  EXPECT_EQ(settle("fr_FR.UTF-8"), Texts{"LANG=fr_FR.UTF-8"});
  EXPECT_EQ(settle("C"), Texts{"LANG=C"});
  EXPECT_EQ(warnings_, 0U);
}

TEST_F(SettledLocaleTest, OneThatItLacksGivesWayToCWithOneWarning) {
  EXPECT_EQ(settle("de_DE.UTF-8"), Texts{"LANG=C.UTF-8"});
  EXPECT_EQ(warnings_, 1U);
}

TEST_F(SettledLocaleTest, ARootThatCantBeReadIsTrusted) {
  root_ += "/nowhere";
  EXPECT_EQ(settle("de_DE.UTF-8"), Texts{"LANG=de_DE.UTF-8"});
  EXPECT_EQ(warnings_, 0U);
}

TEST_F(SettledLocaleTest, WithoutAWishNothingIsSet) { EXPECT_EQ(settle(""), Texts{}); }

}  // namespace
}  // namespace isolate
