#include "store/overlay_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

using Names = std::vector<std::string>;
using test::add_template;
using test::message_of;
using test::must;
using test::write_text;

class OverlayStoreTest : public ::testing::Test {
 protected:
  OverlayStoreTest() : owner_(Caller::current()), store_(must(OverlayStore::open(path(), &owner_))) {}
  void SetUp() override { REQUIRE_ROOT(); }

  std::string path() const { return directory_ / "store"; }
  std::string layer(const std::string& number) const { return path() + "/templates/t/layers/" + number; }
  Generation newest() { return must(store_.newest_generation("t")); }
  // Publishes a change of template t that adds the file NAME.
  std::uint64_t publish_change(const std::string& name) {
    must(store_.make_clone(newest(), "t-change"));
    write_text(path() + "/clones/t-change/upper/" + name, name);
    const auto number = must(store_.publish_clone(newest(), "t-change"));
    must(store_.destroy_clone("t", "t-change"));
    return number;
  }
  struct stat status(const std::string& name) const {
    return must(status_of(AT_FDCWD, path() + "/" + name));
  }

  test::TempDirectory directory_;
  OwnerNamespace owner_;
  OverlayStore store_;
};

TEST_F(OverlayStoreTest, OnlyItsOwnerHasAccessToANewStore) {
  EXPECT_EQ(status("").st_mode & 07777, 0700U);
  EXPECT_TRUE(must(store_.templates()).empty());
}

TEST_F(OverlayStoreTest, AStoreThatOthersHaveAccessToIsRefused) {
  for (const mode_t mode : {0777U, 0770U, 0702U, 01777U, 0755U, 0711U}) {
    ASSERT_EQ(::chmod(path().c_str(), mode), 0);
    EXPECT_EQ(message_of(OverlayStore::open(path(), &owner_)),
              "store " + path() + " must belong to you and be inaccessible to others (chmod 700)");
  }
  ASSERT_EQ(::chmod(path().c_str(), 0700), 0);
  EXPECT_TRUE(test::succeeded(OverlayStore::open(path(), &owner_)));
}

TEST_F(OverlayStoreTest, AStoreOfAnotherUserIsRefused) {
  ASSERT_EQ(::chown(path().c_str(), 1, 0), 0);
  EXPECT_EQ(message_of(OverlayStore::open(path(), &owner_)),
            "store " + path() + " belongs to daemon; as that user: runuser -u daemon -- isolatectl ...");
}

TEST_F(OverlayStoreTest, AFileIsNotAStore) {
  write_text(directory_ / "file", "");
  EXPECT_TRUE(test::fails_with(OverlayStore::open(directory_ / "file", &owner_), ENOTDIR));
}

TEST_F(OverlayStoreTest, ATemplateAppearsWholeOrNotAtAll) {
  const auto draft = must(store_.begin_template("t"));
  write_text(draft + "/etc/issue", "x");
  EXPECT_TRUE(must(store_.templates()).empty());
  EXPECT_FALSE(must(store_.has_template("t")));
  EXPECT_FALSE(store_.newest_generation("t"));
  must(store_.publish_template("t", draft, "debian:bookworm"));
  EXPECT_TRUE(must(store_.has_template("t")));
  const auto infos = must(store_.templates());
  ASSERT_EQ(infos.size(), 1U);
  EXPECT_EQ(infos[0].name, "t");
  EXPECT_EQ(infos[0].generation, 1U);
  EXPECT_EQ(infos[0].layers, 1U);
  EXPECT_EQ(infos[0].origin, "debian:bookworm");
  EXPECT_NEAR(static_cast<double>(infos[0].created), static_cast<double>(::time(nullptr)), 120);
  EXPECT_TRUE(must(list_directory(AT_FDCWD, path() + "/drafts")).empty());
}

TEST_F(OverlayStoreTest, TemplatesAreListedInAlphabeticalOrder) {
  for (const char* name : {"b", "a", "c"}) add_template(store_, name);
  Names names;
  for (const auto& info : must(store_.templates())) names.push_back(info.name);
  EXPECT_EQ(names, (Names{"a", "b", "c"}));
}

TEST_F(OverlayStoreTest, ADamagedTemplateIsListedWithItsProblemAndCanBeRemoved) {
  add_template(store_, "good");
  add_template(store_, "damaged");
  write_text(path() + "/templates/damaged/generations/1", "nothing\n");
  const auto infos = must(store_.templates());
  ASSERT_EQ(infos.size(), 2U);
  EXPECT_NE(infos[0].problem.find("'nothing' is not a layer number"), std::string::npos) << infos[0].problem;
  EXPECT_EQ(infos[1].problem, "");
  must(store_.remove_template("damaged"));
  EXPECT_FALSE(must(store_.has_template("damaged")));
}

TEST_F(OverlayStoreTest, TheFirstOfTwoTemplatesWithTheSameNameIsKept) {
  const auto first = must(store_.begin_template("t"));
  const auto second = must(store_.begin_template("t"));
  write_text(first + "/first", "");
  must(store_.publish_template("t", first, "first"));
  EXPECT_EQ(message_of(store_.publish_template("t", second, "second")), "template 't' already exists");
  EXPECT_EQ(must(store_.info("t")).origin, "first");
  EXPECT_TRUE(test::exists(layer("1") + "/first"));
  EXPECT_FALSE(store_.begin_template("t")) << "an existing template is reported before any work is done";
}

TEST_F(OverlayStoreTest, ADiscardedDraftLeavesNothing) {
  const auto draft = must(store_.begin_template("t"));
  write_text(draft + "/usr/bin/tool", "x");
  must(store_.discard_draft(draft));
  EXPECT_TRUE(must(list_directory(AT_FDCWD, path() + "/drafts")).empty());
}

TEST_F(OverlayStoreTest, NamesThatLeadOutsideTheStoreAreRefused) {
  for (const char* name : {"", "..", "../store", "a/b", "/etc"}) {
    EXPECT_FALSE(store_.begin_template(name)) << name;
    EXPECT_FALSE(store_.newest_generation(name)) << name;
    EXPECT_FALSE(store_.remove_template(name)) << name;
  }
}

TEST_F(OverlayStoreTest, AnUnknownTemplateComesWithAdvice) {
  EXPECT_EQ(message_of(store_.newest_generation("none")),
            "there is no template 'none' in overlay:" + path() +
                "; make one: isolatectl template create none --from debian:bookworm");
  add_template(store_, "one");
  add_template(store_, "debian");
  EXPECT_EQ(message_of(store_.newest_generation("debain")),
            "there is no template 'debain' in overlay:" + path() +
                "; there are: debian, one; nearest: debian; make one: isolatectl template create debain --from "
                "debian:bookworm");
}

TEST_F(OverlayStoreTest, EachChangeIsALayerOnTopOfTheEarlierOnes) {
  add_template(store_, "t");
  EXPECT_EQ(publish_change("one"), 2U);
  EXPECT_EQ(publish_change("two"), 3U);
  EXPECT_EQ(newest().number, 3U);
  EXPECT_EQ(newest().layers, (Names{layer("3"), layer("2"), layer("1")}));
  EXPECT_TRUE(test::exists(layer("3") + "/two"));
  EXPECT_TRUE(test::exists(layer("2") + "/one"));
}

TEST_F(OverlayStoreTest, GenerationsBeyondNineAreComparedAsNumbers) {
  add_template(store_, "t");
  for (unsigned i = 2; i <= 11; ++i) EXPECT_EQ(publish_change("f"), i);
  EXPECT_EQ(newest().number, 11U);
  EXPECT_EQ(newest().layers.front(), layer("11"));
}

TEST_F(OverlayStoreTest, AnIncompleteGenerationIsIgnored) {
  add_template(store_, "t");
  for (const char* name : {"2.new", "x", "03", "-4", "5 "})
    write_text(path() + "/templates/t/generations/" + name, "1\n");
  EXPECT_EQ(newest().number, 1U);
}

TEST_F(OverlayStoreTest, AGenerationCanNameOnlyLayersOfItsTemplate) {
  add_template(store_, "t");
  const auto generation = path() + "/templates/t/generations/2";
  for (const char* content : {"../../../../etc\n", "1\n/etc\n", "", "\n", "1:2\n", "0\n"}) {
    write_text(generation, content);
    EXPECT_FALSE(store_.newest_generation("t")) << content;
  }
  write_text(generation, "1\n");
  EXPECT_TRUE(test::succeeded(store_.newest_generation("t")));
}

TEST_F(OverlayStoreTest, PublishingToATemplateChangedMeanwhileFailsWithEagain) {
  add_template(store_, "t");
  const auto base = newest();
  must(store_.make_clone(base, "t-slow"));
  publish_change("faster");
  EXPECT_TRUE(test::fails_with(store_.publish_clone(base, "t-slow"), EAGAIN));
  EXPECT_EQ(newest().number, 2U);
  EXPECT_TRUE(test::exists(path() + "/clones/t-slow/upper")) << "the clone must keep the change";
}

TEST_F(OverlayStoreTest, ALayerLeftByACrashIsReplaced) {
  add_template(store_, "t");
  write_text(layer("2") + "/left-by-a-crash", "");
  EXPECT_EQ(publish_change("new"), 2U);
  EXPECT_EQ(must(list_directory(AT_FDCWD, layer("2"))), Names{"new"});
}

TEST_F(OverlayStoreTest, ATemplateWithTooManyLayersIsNotChanged) {
  add_template(store_, "t");
  std::string lines;
  for (int i = 400; i >= 1; --i) lines += std::to_string(i) + "\n";
  write_text(path() + "/templates/t/generations/400", lines);
  must(store_.make_clone(Generation{"t", 400, {layer("1")}, ""}, "t-c"));
  const auto refused = store_.publish_clone(newest(), "t-c");
  EXPECT_NE(message_of(refused).find("template 't' has 400 layers"), std::string::npos) << message_of(refused);
}

TEST_F(OverlayStoreTest, ACloneIsEmptyAndHasTheOwnerAndModeOfTheTopLayer) {
  add_template(store_, "t");
  ASSERT_EQ(::chmod(layer("1").c_str(), 0751), 0);
  ASSERT_EQ(::chown(layer("1").c_str(), 5, 6), 0);
  const mode_t old_mask = ::umask(077);
  must(store_.make_clone(newest(), "t-c"));
  const auto root = store_.clone_root(newest(), "t-c");
  ::umask(old_mask);
  ASSERT_TRUE(test::succeeded(root));
  EXPECT_EQ(root->lower, Names{layer("1")});
  EXPECT_EQ(root->directory, path() + "/clones/t-c");
  EXPECT_EQ(store_.clone_location("t-c"), path() + "/clones/t-c/upper");
  EXPECT_TRUE(must(list_directory(AT_FDCWD, store_.clone_location("t-c"))).empty());
  const auto upper = status("clones/t-c/upper");
  EXPECT_EQ(upper.st_mode & 07777, 0751U);
  EXPECT_EQ(upper.st_uid, 5U);
  EXPECT_EQ(upper.st_gid, 6U);
  EXPECT_EQ(status("clones").st_mode & 07777, 0700U) << "other users must not reach a guest's files";
}

TEST_F(OverlayStoreTest, TheNameOfACloneIsUnique) {
  add_template(store_, "t");
  must(store_.make_clone(newest(), "t-c"));
  EXPECT_TRUE(test::fails_with(store_.make_clone(newest(), "t-c"), EEXIST));
}

TEST_F(OverlayStoreTest, DestroyingACloneKeepsItsTemplate) {
  add_template(store_, "t", {"etc/issue"});
  must(store_.make_clone(newest(), "t-c"));
  write_text(store_.clone_location("t-c") + "/var/cache/file", "x");
  EXPECT_TRUE(test::succeeded(store_.destroy_clone("t", "t-c")));
  EXPECT_TRUE(test::succeeded(store_.destroy_clone("t", "t-c"))) << "a clone that does not exist is no error";
  EXPECT_TRUE(must(list_directory(AT_FDCWD, path() + "/clones")).empty());
  EXPECT_TRUE(test::exists(layer("1") + "/etc/issue"));
}

TEST_F(OverlayStoreTest, CountsTheDiskUseOfClonesAndTemplates) {
  add_template(store_, "t");
  must(store_.make_clone(newest(), "t-c"));
  const auto empty = must(store_.clone_use("t-c", std::nullopt)).bytes;
  write_text(store_.clone_location("t-c") + "/file", std::string(1 << 20, 'x'));
  EXPECT_GE(must(store_.clone_use("t-c", std::nullopt)).bytes, empty + (1U << 20));
  EXPECT_LT(must(store_.template_bytes("t")), 1U << 20);
  EXPECT_TRUE(test::fails_with(store_.clone_use("none", std::nullopt), ENOENT));
}

TEST_F(OverlayStoreTest, ARemovedTemplateLeavesNothing) {
  add_template(store_, "t");
  add_template(store_, "other");
  must(store_.remove_template("t"));
  EXPECT_FALSE(store_.info("t"));
  EXPECT_FALSE(store_.remove_template("t"));
  EXPECT_EQ(must(list_directory(AT_FDCWD, path() + "/templates")), Names{"other"});
  EXPECT_TRUE(must(list_directory(AT_FDCWD, path() + "/trash")).empty());
}

}  // namespace
}  // namespace isolate
