#include "pool/registered.h"

#include "base/testing.h"

namespace isolate {
namespace {

using test::message_of;
using test::must;

class RegisteredTest : public ::testing::Test {
 protected:
  RegisteredTest() : owner_(Caller::current()) {}
  void SetUp() override {
    REQUIRE_ROOT();
    auto store = must(open_store(path(), &owner_, MissingStore::create));
    for (const char* name : {"plain", "sized"}) test::add_template(*store, name);
    Pool pool(store.get(), "sized");
    must(pool.refresh({0U, false, true}));
    Pool other(store.get(), "plain");
    must(other.lock(FileLock::Mode::shared));  // this creates state directories, but no size
  }
  // One store is not taken for two because of its name.
  std::string path() const { return directory_ / "this and that"; }
  Result<TemplatePlace> find(const std::string& asked) { return find_registered_template(asked, path(), &owner_); }

  test::TempDirectory directory_;
  OwnerNamespace owner_;
};

TEST_F(RegisteredTest, APoolWithASizeIsRegistered) {
  const auto stores = open_all_stores(path(), &owner_);
  const auto pools = registered_pools(stores);
  ASSERT_EQ(pools.size(), 1U);
  EXPECT_EQ(pools[0].template_name(), "sized");
}

TEST_F(RegisteredTest, ARegisteredTemplateIsFoundByNameWithOrWithoutAKind) {
  for (const char* asked : {"sized", "overlay:sized"}) {
    const auto place = find(asked);
    ASSERT_TRUE(place) << message_of(place);
    EXPECT_EQ(place->name, "sized");
    EXPECT_EQ(place->store->description(), "overlay:" + path());
  }
}

TEST_F(RegisteredTest, UnregisteredTemplatesAreNotFound) {
  for (const char* asked : {"plain", "other", "zfs:sized", "btrfs:sized", "pool/path/sized"}) {
    EXPECT_NE(message_of(find(asked)).find("is registered for members; as root: isolate -r"), std::string::npos)
        << asked << ": " << message_of(find(asked));
  }
  for (const char* asked : {"", ".", "..", "../sized", "/etc", "sized/..", "a;b", "a@b", "-r", "x:sized"}) {
    EXPECT_FALSE(find(asked)) << asked;
  }
}

}  // namespace
}  // namespace isolate
