#include "share/x_helper.h"

#include <gtest/gtest.h>

namespace isolate {
namespace {

const XCookie kCookie = {"MIT-MAGIC-COOKIE-1", std::string("a\0b\0\0c", 6)};

TEST(XHelperTest, TasksAndCookiesWithAnyBytesArriveWhole) {
  XTask task;
  task.kind = XTask::Kind::nested;
  task.socket = "@/tmp/.X11-unix/X0";
  task.program = "/usr/bin/Xephyr";
  task.title = "isolate: ü \"x\"";
  task.number = 4711;
  task.uid = 4294967294;
  task.gid = 5;
  task.cookie = kCookie;
  EXPECT_EQ(unpacked(packed(task)).value(), task);
  for (const auto kind : {XTask::Kind::check_security, XTask::Kind::untrusted, XTask::Kind::nested}) {
    XTask other;
    other.kind = kind;
    EXPECT_EQ(unpacked(packed(other)).value(), other);
  }
  EXPECT_EQ(unpacked_answer(packed(Result<XCookie>(kCookie))).value(), kCookie);
  const Result<XCookie> error = fail(ENOENT, "open x");
  EXPECT_EQ(unpacked_answer(packed(error)).error().message(), error.error().message());
}

TEST(XHelperTest, MalformedMessagesAreRefused) {
  const auto message = packed(XTask{});
  const auto last_field = message.rfind('\0');
  for (std::size_t length = 0; length <= last_field; ++length)
    EXPECT_FALSE(unpacked(message.substr(0, length))) << length;
  const std::string zeros(20, '\0');
  EXPECT_FALSE(unpacked(zeros));
  EXPECT_FALSE(unpacked("nested\0\0\0\0-1\0001\0001\0\0"));
  for (const char* answer : {"", "+", "+no end", "?"}) EXPECT_FALSE(unpacked_answer(answer)) << answer;
}

}  // namespace
}  // namespace isolate
