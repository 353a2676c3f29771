#include "request/request.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace isolate {
namespace {

using test::message_of;
using test::must;

TEST(BindTest, ABindHasASourceAndATargetAndMayBeReadOnly) {
  EXPECT_EQ(must(parse_bind("/a:/b")), (Bind{"/a", "/b", false}));
  EXPECT_EQ(must(parse_bind("/a:/b/c:ro")), (Bind{"/a", "/b/c", true}));
  EXPECT_EQ(must(parse_bind("a b:/c d:rw")), (Bind{"a b", "/c d", false}));
}

TEST(BindTest, AnyOtherFormIsRefused) {
  for (const char* text : {"", "a", "ro", ":", "::", "/a:", ":/b", ":ro", "/a:b", "/a:./b", "/a:/b:", "/a:/b:rx",
                           "/a:/b:RO", "/a:/b:ro:", "~/a:/b", "/a\\:/b:ro:x"}) {
    EXPECT_FALSE(parse_bind(text)) << text;
  }
  EXPECT_TRUE(message_of(parse_bind("/a\033:b")).starts_with("bind '/a\\x1b:b': TARGET must begin with '/'"));
  EXPECT_EQ(message_of(parse_bind("/a:/b:rx")), "bind '/a:/b:rx': 'rx' is neither ro nor rw");
}

TEST(BindTest, WithoutATargetTheBindHasTheSamePathInside) {
  EXPECT_EQ(must(parse_bind("/a")), (Bind{"/a", "/a", false}));
  EXPECT_EQ(must(parse_bind("/a/b:ro")), (Bind{"/a/b", "/a/b", true}));
  EXPECT_EQ(must(parse_bind("/a\\:/b")), (Bind{"/a:/b", "/a:/b", false}));
}

TEST(BindTest, TheLastColonSeparatesUnlessABackslashStandsBeforeIt) {
  EXPECT_EQ(must(parse_bind("/10:20:/x:ro")), (Bind{"/10:20", "/x", true}));
  EXPECT_EQ(must(parse_bind("/a:/b:/c")), (Bind{"/a:/b", "/c", false}));
  EXPECT_EQ(must(parse_bind("/10\\:20:/x\\:ro")), (Bind{"/10:20", "/x:ro", false}));
  EXPECT_EQ(must(parse_bind("/a\\b:/c\\d")), (Bind{"/a\\b", "/c\\d", false}));
  EXPECT_EQ(must(parse_bind(escaped_colons("/a:ro") + ":/x")), (Bind{"/a:ro", "/x", false}));
}

TEST(BindTest, TheRootItselfIsRefusedAsATarget) {
  for (const char* text : {"/a:/", "/a://", "/a:/.", "/a:/./", "/a:/..", "/a:/b/..", "/a:/../..:ro"}) {
    EXPECT_FALSE(parse_bind(text)) << text;
  }
}

TEST(VariableTest, TheFirstColonOrEqualSignEndsTheName) {
  EXPECT_EQ(must(parse_variable("A=b")), "A=b");
  EXPECT_EQ(must(parse_variable("A:b")), "A=b");
  EXPECT_EQ(must(parse_variable("_a1:x=y:z")), "_a1=x=y:z");
  EXPECT_EQ(must(parse_variable("URL=http://x")), "URL=http://x");
  EXPECT_EQ(must(parse_variable("EMPTY=")), "EMPTY=");
  EXPECT_EQ(must(parse_variable("LINES=a\nb")), "LINES=a\nb");
}

TEST(VariableTest, ANameAloneTakesTheValueOfThisProcess) {
  const test::ScopedVariable set("ISOLATE_TEST_SET", " x:y=z");
  const test::ScopedVariable unset("ISOLATE_TEST_UNSET", nullptr);
  EXPECT_EQ(must(parse_variable_of("ISOLATE_TEST_SET")), "ISOLATE_TEST_SET= x:y=z");
  EXPECT_EQ(must(parse_variable_of("ISOLATE_TEST_UNSET")), std::nullopt);
  EXPECT_EQ(must(parse_variable_of("ISOLATE_TEST_SET=1")), "ISOLATE_TEST_SET=1");
  for (const char* text : {"", "1A", "A-B"}) EXPECT_FALSE(parse_variable_of(text)) << text;
}

TEST(VariableTest, ANameThatAShellCouldNotUseIsRefused) {
  for (const char* text : {"", "A", "=b", ":b", "1A=b", "A-B=c", "A B=c", "A.B=c", "\xc3\xa9=b", "A\n=b"}) {
    EXPECT_FALSE(parse_variable(text)) << text;
  }
}

TEST(EngineNameTest, AnUnknownEngineIsRefusedWithTheKnownNames) {
  EXPECT_EQ(must(parse_engine("bwrap")), EngineKind::bwrap);
  EXPECT_EQ(must(parse_engine("chroot")), EngineKind::chroot);
  EXPECT_EQ(must(parse_engine("lxc")), EngineKind::lxc);
  EXPECT_EQ(message_of(parse_engine("docker")), "engine 'docker' is unknown; use bwrap, native, lxc or chroot");
  EXPECT_FALSE(parse_engine("BWRAP"));
}

TEST(UsernsModeTest, AnUnknownModeIsRefusedWithTheKnownNames) {
  EXPECT_EQ(must(parse_userns("auto")), UsernsMode::automatic);
  EXPECT_EQ(must(parse_userns("private")), UsernsMode::private_range);
  EXPECT_EQ(must(parse_userns("single")), UsernsMode::single);
  EXPECT_EQ(message_of(parse_userns("host")), "userns 'host' is unknown; use auto, private or single");
}

TEST(GroupsModeTest, AnUnknownModeIsRefusedWithTheKnownNames) {
  EXPECT_EQ(must(parse_groups("auto")), GroupsMode::automatic);
  EXPECT_EQ(must(parse_groups("keep")), GroupsMode::keep);
  EXPECT_EQ(must(parse_groups("drop")), GroupsMode::drop);
  EXPECT_EQ(message_of(parse_groups("all")), "groups 'all' is unknown; use auto, keep or drop");
}

TEST(IdBaseTest, ABaseWithoutRoomForAllIdsOfAGuestIsRefused) {
  EXPECT_EQ(must(parse_id_base("1", "uid-base")), 1U);
  EXPECT_EQ(must(parse_id_base("4294901759", "uid-base")), 4294901759U);
  for (const char* text : {"0", "4294901760", "4294967295", "4294967296", "-1", "010", ""}) {
    EXPECT_FALSE(parse_id_base(text, "uid-base")) << text;
  }
}

}  // namespace
}  // namespace isolate
