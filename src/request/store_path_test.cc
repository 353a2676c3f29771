#include "request/store_path.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace isolate {
namespace {

using test::must;

const Caller kUser = {1000, 1000};

TEST(StorePathTest, AStoreThatTheUserNamesComesFirst) {
  EXPECT_EQ(must(store_path("/srv/store", {0, 0})), "/srv/store");
  EXPECT_EQ(must(store_path("/srv/store", kUser)), "/srv/store");
}

TEST(StorePathTest, TheStoreOfRootIsInVarLibWhateverTheEnvironmentSays) {
  const test::ScopedVariable data("XDG_DATA_HOME", "/data");
  EXPECT_EQ(must(store_path("", {0, 0})), "/var/lib/isolate");
}

TEST(StorePathTest, TheStoreOfAUserIsInTheirDataDirectory) {
  const test::ScopedVariable home("HOME", "/home/a");
  const test::ScopedVariable data("XDG_DATA_HOME", "/data");
  EXPECT_EQ(must(store_path("", kUser)), "/data/isolate");
  const test::ScopedVariable relative("XDG_DATA_HOME", "data");
  EXPECT_EQ(must(store_path("", kUser)), "/home/a/.local/share/isolate") << "a relative path is ignored";
  const test::ScopedVariable none("XDG_DATA_HOME", nullptr);
  EXPECT_EQ(must(store_path("", kUser)), "/home/a/.local/share/isolate");
}

TEST(StorePathTest, AUserWithoutAHomeDirectoryHasNoStore) {
  const test::ScopedVariable data("XDG_DATA_HOME", nullptr);
  const test::ScopedVariable home("HOME", nullptr);
  EXPECT_EQ(test::message_of(store_path("", {3987654321, 1})),
            "no store: HOME is not set, and the user database has no home directory for you; set HOME, or name a "
            "directory with --store");
}

}  // namespace
}  // namespace isolate
