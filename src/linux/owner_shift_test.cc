#include "linux/owner_shift.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

class OwnerShiftTest : public ::testing::Test {
 protected:
  void SetUp() override { REQUIRE_ROOT(); }
  Result<void> shift(unsigned by) const { return shift_owners(AT_FDCWD, directory_ / "tree", by); }
  struct stat status(const std::string& name) const {
    return test::must(status_of(AT_FDCWD, directory_ / name, AT_SYMLINK_NOFOLLOW));
  }
  void make(const std::string& name, unsigned uid, unsigned gid) const {
    test::write_text(directory_ / name, "x");
    ASSERT_EQ(::lchown((directory_ / name).c_str(), uid, gid), 0);
  }

  test::TempDirectory directory_;
};

TEST_F(OwnerShiftTest, EveryFileOfTheTreeShifts) {
  make("tree/a/file", 5, 6);
  ASSERT_TRUE(test::succeeded(shift(1)));
  EXPECT_EQ(status("tree").st_uid, 1U);
  EXPECT_EQ(status("tree/a").st_gid, 1U);
  EXPECT_EQ(status("tree/a/file").st_uid, 6U);
  EXPECT_EQ(status("tree/a/file").st_gid, 7U);
}

TEST_F(OwnerShiftTest, ASymbolicLinkShiftsButNotItsTarget) {
  make("outside", 5, 5);
  make("tree/file", 5, 5);
  ASSERT_EQ(::symlink("../outside", (directory_ / "tree/link").c_str()), 0);
  ASSERT_TRUE(test::succeeded(shift(1)));
  EXPECT_EQ(status("tree/link").st_uid, 1U);
  EXPECT_EQ(status("outside").st_uid, 5U);
}

TEST_F(OwnerShiftTest, AFileWithTwoHardLinksShiftsOnce) {
  make("tree/file", 5, 5);
  ASSERT_EQ(::link((directory_ / "tree/file").c_str(), (directory_ / "tree/again").c_str()), 0);
  ASSERT_TRUE(test::succeeded(shift(1)));
  EXPECT_EQ(status("tree/file").st_uid, 6U);
}

TEST_F(OwnerShiftTest, NamedUsersAndGroupsOfAnAclShift) {
  make("tree/file", 5, 5);
  // user::rw-, user:7:rwx, group::r--, group:8:r-x, mask::rwx, other::---
  const std::string before(
      "\2\0\0\0"
      "\1\0\6\0\377\377\377\377"
      "\2\0\7\0\7\0\0\0"
      "\4\0\4\0\377\377\377\377"
      "\10\0\5\0\10\0\0\0"
      "\20\0\7\0\377\377\377\377"
      "\40\0\0\0\377\377\377\377",
      52);
  for (const auto& [path, attribute] :
       {std::pair{"tree/file", "system.posix_acl_access"}, std::pair{"tree", "system.posix_acl_default"}}) {
    ASSERT_EQ(::setxattr((directory_ / path).c_str(), attribute, before.data(), before.size(), 0), 0);
  }
  ASSERT_TRUE(test::succeeded(shift(1)));
  for (const auto& [path, attribute] :
       {std::pair{"tree/file", "system.posix_acl_access"}, std::pair{"tree", "system.posix_acl_default"}}) {
    std::string after(64, '\0');
    const ssize_t size = ::getxattr((directory_ / path).c_str(), attribute, after.data(), after.size());
    ASSERT_EQ(size, 52);
    EXPECT_EQ(after[16], 8) << "the named user";
    EXPECT_EQ(after[32], 9) << "the named group";
    EXPECT_EQ(after.substr(4, 8), before.substr(4, 8)) << "the entry of the owner holds no id";
  }
}

TEST_F(OwnerShiftTest, SetUserIdBitsAreKept) {
  make("tree/su", 0, 0);
  ASSERT_EQ(::chmod((directory_ / "tree/su").c_str(), 06755), 0);
  ASSERT_TRUE(test::succeeded(shift(1)));
  EXPECT_EQ(status("tree/su").st_mode & 07777, 06755U);
}

TEST_F(OwnerShiftTest, FileCapabilitiesAreKept) {
  make("tree/ping", 0, 0);
  const auto path = directory_ / "tree/ping";
  vfs_cap_data capability{};
  capability.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  capability.data[0].permitted = 1U << CAP_NET_RAW;
  ASSERT_EQ(::setxattr(path.c_str(), "security.capability", &capability, sizeof capability, 0), 0);
  ASSERT_TRUE(test::succeeded(shift(1)));
  vfs_cap_data after{};
  ASSERT_EQ(::getxattr(path.c_str(), "security.capability", &after, sizeof after), ssize_t{sizeof after});
  EXPECT_EQ(after.data[0].permitted, capability.data[0].permitted);
}

}  // namespace
}  // namespace isolate
