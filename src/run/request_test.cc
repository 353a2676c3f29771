#include "run/request.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace isolate {
namespace {

using test::message_of;
using test::must;

TEST(BindTest, HasSourceAndTargetAndMayBeReadOnly) {
  EXPECT_EQ(must(parse_bind("/a:/b")), (Bind{"/a", "/b", false}));
  EXPECT_EQ(must(parse_bind("/a:/b/c:ro")), (Bind{"/a", "/b/c", true}));
  EXPECT_EQ(must(parse_bind("a b:/c d:rw")), (Bind{"a b", "/c d", false}));
}

TEST(BindTest, AnyOtherFormIsRefused) {
  for (const char* text : {"", "/a", ":", "::", "/a:", ":/b", "/a:b", "/a:./b", "/a:/b:", "/a:/b:rx", "/a:/b:RO",
                           "/a:/b:ro:", "/a:/b:/c:ro"}) {
    EXPECT_FALSE(parse_bind(text)) << text;
  }
  EXPECT_EQ(message_of(parse_bind("/a\033:b")), "bind '/a\\x1b:b': TARGET must begin with '/'");
}

TEST(BindTest, TheRootItselfIsNoTarget) {
  for (const char* text : {"/a:/", "/a://", "/a:/.", "/a:/./", "/a:/..", "/a:/b/..", "/a:/../..:ro"}) {
    EXPECT_FALSE(parse_bind(text)) << text;
  }
}

TEST(VariableTest, NameAndValueArePartedByTheFirstColonOrEqualSign) {
  EXPECT_EQ(must(parse_variable("A=b")), "A=b");
  EXPECT_EQ(must(parse_variable("A:b")), "A=b");
  EXPECT_EQ(must(parse_variable("_a1:x=y:z")), "_a1=x=y:z");
  EXPECT_EQ(must(parse_variable("URL=http://x")), "URL=http://x");
  EXPECT_EQ(must(parse_variable("EMPTY=")), "EMPTY=");
  EXPECT_EQ(must(parse_variable("LINES=a\nb")), "LINES=a\nb");
}

TEST(VariableTest, WhatAShellCouldNotNameIsRefused) {
  for (const char* text : {"", "A", "=b", ":b", "1A=b", "A-B=c", "A B=c", "A.B=c", "\xc3\xa9=b", "A\n=b"}) {
    EXPECT_FALSE(parse_variable(text)) << text;
  }
}

TEST(EngineNameTest, AreKnownOrAnsweredPlainly) {
  EXPECT_EQ(must(parse_engine("bwrap")), EngineKind::bwrap);
  EXPECT_EQ(must(parse_engine("chroot")), EngineKind::chroot);
  EXPECT_EQ(must(parse_engine("lxc")), EngineKind::lxc);
  EXPECT_EQ(message_of(parse_engine("docker")), "engine 'docker' is unknown; use bwrap, lxc or chroot");
  EXPECT_FALSE(parse_engine("BWRAP"));
}

TEST(UsernsModeTest, HasThreeNames) {
  EXPECT_EQ(must(parse_userns("auto")), UsernsMode::automatic);
  EXPECT_EQ(must(parse_userns("private")), UsernsMode::private_range);
  EXPECT_EQ(must(parse_userns("single")), UsernsMode::single);
  EXPECT_EQ(message_of(parse_userns("host")), "userns 'host' is none of auto, private, single");
}

TEST(IdBaseTest, LeavesRoomForAllIdsOfAGuest) {
  EXPECT_EQ(must(parse_id_base("1", "uid-base")), 1U);
  EXPECT_EQ(must(parse_id_base("4294901759", "uid-base")), 4294901759U);
  for (const char* text : {"0", "4294901760", "4294967295", "4294967296", "-1", "010", ""}) {
    EXPECT_FALSE(parse_id_base(text, "uid-base")) << text;
  }
}

}  // namespace
}  // namespace isolate
