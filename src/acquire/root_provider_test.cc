#include "acquire/root_provider.h"

#include <gtest/gtest.h>

#include "base/testing.h"
#include "store/overlay_store.h"

namespace isolate {
namespace {

using test::must;

AcquiredRoot root_of_directory(const std::string& path) {
  RunRequest request;
  request.directory = path;
  OwnerNamespace owner(Caller::current());
  auto steps = must(Steps::make());
  return must(must(provider_for(request, &owner))->acquire(&steps));
}

TEST(RootProviderTest, ARunOnADirectoryIsNamedAfterIt) {
  const auto root = root_of_directory("/srv/build-root");
  EXPECT_TRUE(root.id.starts_with("build-root-"));
  EXPECT_EQ(root.template_name, "");
  EXPECT_EQ(root.source.directory, "/srv/build-root");
}

TEST(RootProviderTest, ADirectoryWhoseNameIsNoHostNameGivesAUsualOne) {
  EXPECT_TRUE(root_of_directory("/srv/a b").id.starts_with("isolate-"));
  EXPECT_TRUE(root_of_directory("/").id.starts_with("isolate-"));
}

// A template "t" in a store of its own.
class CloneProviderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    REQUIRE_ROOT();
    test::add_template(store_, "t");
    request_.template_name = "t";
    request_.store = directory_ / "store";
  }
  std::vector<std::string> clones() { return must(store_.clones("t")); }

  test::TempDirectory directory_;
  OwnerNamespace owner_{Caller::current()};
  OverlayStore store_ = must(OverlayStore::open(directory_ / "store", &owner_));
  RunRequest request_;
  Steps steps_ = must(Steps::make());
};

TEST_F(CloneProviderTest, ACloneIsTheRunsUntilItIsGivenBack) {
  const auto provider = must(provider_for(request_, &owner_));
  const auto root = must(provider->acquire(&steps_));
  EXPECT_EQ(clones(), std::vector<std::string>{root.id});
  EXPECT_EQ(root.template_name, "t");
  EXPECT_EQ(root.source.lower.size(), 1U);
  EXPECT_FALSE(root.maps) << "nobody but the plan decides the ids";
  EXPECT_TRUE(test::succeeded(provider->give_back(&steps_)));
  EXPECT_TRUE(clones().empty());
}

TEST_F(CloneProviderTest, AKeptCloneStays) {
  request_.keep = true;
  const auto provider = must(provider_for(request_, &owner_));
  const auto root = must(provider->acquire(&steps_));
  EXPECT_TRUE(test::succeeded(provider->give_back(&steps_)));
  EXPECT_EQ(clones(), std::vector<std::string>{root.id});
}

TEST_F(CloneProviderTest, APlannedCloneIsNotMade) {
  request_.dry_run = true;
  const auto provider = must(provider_for(request_, &owner_));
  EXPECT_FALSE(must(provider->acquire(&steps_)).id.empty());
  EXPECT_TRUE(clones().empty());
}

TEST_F(CloneProviderTest, AfterAFailureThereIsNothingToGiveBack) {
  request_.template_name = "missing";
  const auto provider = must(provider_for(request_, &owner_));
  EXPECT_FALSE(provider->acquire(&steps_));
  EXPECT_TRUE(test::succeeded(provider->give_back(&steps_)));
}

}  // namespace
}  // namespace isolate
