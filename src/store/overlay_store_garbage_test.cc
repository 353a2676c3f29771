// What an OverlayStore removes and what it keeps, and how an ordinary user's store handles files of other ids.
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/reporting_child.h"
#include "store/overlay_store.h"

namespace isolate {
namespace {

using Names = std::vector<std::string>;
using test::must;
using test::verify;
using test::write_text;

class GarbageTest : public ::testing::Test {
 protected:
  GarbageTest() : owner_(Caller::current()), store_(must(open())) {}
  void SetUp() override { REQUIRE_ROOT(); }

  Result<OverlayStore> open() { return OverlayStore::open(path(), &owner_); }
  std::string path() const { return directory_ / "store"; }
  // Makes template t with generations up to LAST. Each generation has only one layer, so that old layers can be
  // removed.
  void make_generations(unsigned last) {
    test::add_template(store_, "t");
    for (unsigned i = 2; i <= last; ++i) {
      const auto name = std::to_string(i);
      write_text(path() + "/templates/t/layers/" + name + "/file", name);
      write_text(path() + "/templates/t/generations/" + name, name + "\n");
    }
  }
  Names names(const std::string& directory) const { return must(list_directory(AT_FDCWD, path() + "/" + directory)); }

  test::TempDirectory directory_;
  OwnerNamespace owner_;
  OverlayStore store_;
};

TEST_F(GarbageTest, TheNewestGenerationAndThoseInUseAreKept) {
  make_generations(4);
  const auto removed = must(store_.collect_garbage("t", {2}));
  EXPECT_EQ(names("templates/t/generations"), (Names{"2", "4"}));
  EXPECT_EQ(names("templates/t/layers"), (Names{"2", "4"}));
  EXPECT_EQ(removed, (Names{"generation 1 of template t", "generation 3 of template t", "layer 1 of template t",
                            "layer 3 of template t"}));
  EXPECT_TRUE(must(store_.collect_garbage("t", {2})).empty()) << "nothing is left to remove";
}

TEST_F(GarbageTest, ADraftIsNotRemovedBeforeItIsLocked) {
  auto collector = test::must(ReportingChild::start([this]() -> Result<void> {
    auto store = TRY(open());
    while (true) TRY(store.collect_leftovers());
  }));
  for (int i = 0; i < 300; ++i) {
    const auto draft = must(store_.begin_template("t"));
    ASSERT_TRUE(test::exists(draft));
    must(store_.discard_draft(draft));
  }
  pollfd ended{collector.process().pidfd(), POLLIN, 0};
  ASSERT_EQ(::poll(&ended, 1, 0), 0) << test::message_of(collector.report());
}

TEST_F(GarbageTest, LayersOfANewerGenerationAreKept) {
  test::add_template(store_, "t");
  for (int i = 0; i < 2; ++i) {
    const auto base = must(store_.newest_generation("t"));
    must(store_.make_clone(base, "t-c"));
    must(store_.publish_clone(base, "t-c"));
    must(store_.destroy_clone("t", "t-c"));
  }
  EXPECT_EQ(must(store_.collect_garbage("t", {})), (Names{"generation 1 of template t", "generation 2 of template t"}));
  EXPECT_EQ(names("templates/t/layers"), (Names{"1", "2", "3"}));
}

TEST_F(GarbageTest, ALayerWithoutAGenerationIsRemoved) {
  make_generations(1);
  write_text(path() + "/templates/t/layers/2/file", "left by a crash before the generation was written");
  EXPECT_EQ(must(store_.collect_garbage("t", {})), Names{"layer 2 of template t"});
}

TEST_F(GarbageTest, LockedDraftsAreKept) {
  auto other = must(open());
  const auto draft = must(other.begin_template("t"));
  write_text(draft + "/file", "x");
  EXPECT_TRUE(must(store_.collect_leftovers()).empty());
  EXPECT_TRUE(test::exists(draft + "/file"));
  must(other.publish_template("t", draft, "a test"));
  EXPECT_TRUE(test::succeeded(store_.info("t")));
}

TEST_F(GarbageTest, UnlockedDraftsAreRemoved) {
  {
    auto interrupted = must(open());
    write_text(must(interrupted.begin_template("t")) + "/file", "x");
  }
  write_text(path() + "/drafts/without-a-lock/layers/1/file", "x");
  EXPECT_EQ(must(store_.collect_leftovers()).size(), 2U);
  EXPECT_TRUE(names("drafts").empty());
}

TEST_F(GarbageTest, TheRestOfAnInterruptedRemovalIsRemoved) {
  write_text(path() + "/trash/abcdef/layers/1/file", "x");
  EXPECT_EQ(must(store_.collect_leftovers()), Names{"leftover of an interrupted command: trash/abcdef"});
  EXPECT_TRUE(names("trash").empty());
}

TEST_F(GarbageTest, AnEmptyStoreHasNoLeftovers) { EXPECT_TRUE(must(store_.collect_leftovers()).empty()); }

// The store of an ordinary user, whose files may belong to ids of the user's range.
class UsersStore {
 public:
  explicit UsersStore(const std::string& scratch)
      : owner_(Caller::current()), store_(must(OverlayStore::open(scratch + "/store", &owner_))) {}

  OverlayStore& store() { return store_; }
  Result<void> chown_to(const std::string& path, unsigned id) {
    return owner_.run([&]() -> Result<void> {
      if (::chown(path.c_str(), id, id) != 0) return fail(errno, "chown " + path);
      if (::chmod(path.c_str(), 0700) != 0) return fail(errno, "chmod " + path);
      return {};
    });
  }

 private:
  OwnerNamespace owner_;
  OverlayStore store_;
};

TEST_F(GarbageTest, AUserRemovesClonesWithFilesOfTheirRange) {
  test::as_pretended_user({}, [](const std::string& scratch) -> Result<void> {
    UsersStore users(scratch);
    test::add_template(users.store(), "t");
    TRY_VOID(users.store().make_clone(TRY(users.store().newest_generation("t")), "t-c"));
    write_text(users.store().clone_location("t-c") + "/closed/file", std::string(100000, 'x'));
    TRY_VOID(users.chown_to(users.store().clone_location("t-c") + "/closed", 33));
    TRY_VOID(verify(TRY(users.store().clone_use("t-c", std::nullopt)).bytes > 100000,
                    "directories that the user can't read are counted, too"));
    TRY_VOID(users.store().destroy_clone("t", "t-c"));
    return verify(!test::exists(scratch + "/store/clones/t-c"), "the clone is gone");
  });
}

TEST_F(GarbageTest, AUserPublishesACloneWhoseTopBelongsToAnotherId) {
  test::as_pretended_user({}, [](const std::string& scratch) -> Result<void> {
    UsersStore users(scratch);
    test::add_template(users.store(), "t");
    const auto base = TRY(users.store().newest_generation("t"));
    TRY_VOID(users.store().make_clone(base, "t-c"));
    TRY_VOID(users.chown_to(users.store().clone_location("t-c"), 33));
    return verify(TRY(users.store().publish_clone(base, "t-c")) == 2, "generation 2");
  });
}

TEST_F(GarbageTest, ShiftedLayersHaveEveryOwnerOneIdHigher) {
  test::as_pretended_user({}, [](const std::string& scratch) -> Result<void> {
    UsersStore users(scratch);
    auto& store = users.store();
    test::add_template(store, "t", {"etc/issue", "var/mail"});
    const auto generation = TRY(store.newest_generation("t"));
    TRY_VOID(users.chown_to(generation.layers[0] + "/var/mail", 8));
    TRY_VOID(verify(!store.has_shifted_layers(generation), "no shifted layers at first"));
    const auto layers = TRY(store.shifted_layers(generation));
    TRY_VOID(verify(layers.size() == 1 && store.has_shifted_layers(generation), "one copy for each layer"));
    const auto issue = TRY(status_of(AT_FDCWD, layers[0] + "/etc/issue"));
    const auto mail = TRY(status_of(AT_FDCWD, layers[0] + "/var/mail"));
    TRY_VOID(verify(issue.st_uid == 300000 && mail.st_uid == 300008, "owner 0 is shifted to 1, and 8 to 9"));
    const auto original = TRY(status_of(AT_FDCWD, generation.layers[0] + "/etc/issue"));
    return verify(original.st_uid == test::PretendedUser::kId, "the original is unchanged");
  });
}

TEST_F(GarbageTest, ShiftedLayersAreRemovedWithTheirOriginals) {
  make_generations(2);
  must(store_.shifted_layers(Generation{"t", 1, {path() + "/templates/t/layers/1"}, ""}));
  must(store_.shifted_layers(must(store_.newest_generation("t"))));
  EXPECT_EQ(names("templates/t/layers").size(), 4U);
  must(store_.collect_garbage("t", {}));
  EXPECT_EQ(names("templates/t/layers").size(), 2U);
  EXPECT_TRUE(store_.has_shifted_layers(must(store_.newest_generation("t"))));
  EXPECT_TRUE(names("drafts").empty());
}

}  // namespace
}  // namespace isolate
