#include "store/zfs_mount.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "base/testing.h"
#include "store/root_source.h"

namespace isolate::zfs {
namespace {

using test::must;

class ZfsMountTest : public ::testing::Test {
 protected:
  // The properties as "zfs get" shows them for a dataset on which nothing was set.
  ZfsMountTest() : dataset_{"pool/deb_1", {}} {
    for (const char* on : {"setuid", "devices", "exec", "atime", "relatime"}) set(on, "on");
    for (const char* none : {"context", "fscontext", "defcontext", "rootcontext"}) set(none, "none");
    set("mountpoint", "/run/isolate/mounts/deb_1");
    set("readonly", "off");
    set("keystatus", "-");
  }
  void set(const std::string& property, const std::string& value) { dataset_.properties[property] = {value, false}; }
  std::uint64_t attributes() const { return must(file_system_of(dataset_)).attributes; }
  std::string options() const {
    std::string text;
    for (const auto& option : must(file_system_of(dataset_)).options) {
      text += std::string(option.key) + "=" + option.value + " ";
    }
    return text;
  }

  Dataset dataset_;
};

TEST_F(ZfsMountTest, ADatasetWithDefaultPropertiesHasNoSpecialOptions) {
  EXPECT_EQ(attributes(), 0U);
  EXPECT_EQ(options(), "source=pool/deb_1 mntpoint=/run/isolate/mounts/deb_1 ");
  EXPECT_EQ(name_of_root({{}, "", must(file_system_of(dataset_))}), "pool/deb_1");
}

TEST_F(ZfsMountTest, PropertiesBecomeMountFlags) {
  set("setuid", "off");
  EXPECT_EQ(attributes(), std::uint64_t{MOUNT_ATTR_NOSUID});
  set("devices", "off");
  set("exec", "off");
  EXPECT_EQ(attributes(), std::uint64_t{MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC});
}

TEST_F(ZfsMountTest, ReadOnlyAppliesToTheMountAndTheFileSystem) {
  set("readonly", "on");
  EXPECT_EQ(attributes(), std::uint64_t{MOUNT_ATTR_RDONLY});
  EXPECT_NE(options().find(" ro= "), std::string::npos) << options();
}

TEST_F(ZfsMountTest, AtimePropertiesBecomeMountFlags) {
  set("relatime", "off");
  EXPECT_EQ(attributes(), std::uint64_t{MOUNT_ATTR_STRICTATIME});
  set("atime", "off");
  EXPECT_EQ(attributes(), std::uint64_t{MOUNT_ATTR_NOATIME});
  set("relatime", "on");
  EXPECT_EQ(attributes(), std::uint64_t{MOUNT_ATTR_NOATIME});
}

TEST_F(ZfsMountTest, SecurityContextsBecomeOptions) {
  set("fscontext", "system_u:object_r:tmp_t:s0");
  EXPECT_NE(options().find(" fscontext=system_u:object_r:tmp_t:s0 "), std::string::npos) << options();
}

TEST_F(ZfsMountTest, AMissingKeyIsAnErrorWithAdvice) {
  set("keystatus", "unavailable");
  const auto made = file_system_of(dataset_);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message().find("zfs load-key pool/deb_1"), std::string::npos) << made.error().message();
}

}  // namespace
}  // namespace isolate::zfs
