#include "base/plain_line.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace isolate::text {
namespace {

TEST(IsPlainLineTest, TextOfAnyLanguageIsPlain) {
  for (const char* text : {"", "xterm", "Datei öffnen", "فایرفاکس", "می\u200cخواهم", "写真", "😀", "\U0010ffff"}) {
    EXPECT_TRUE(is_plain_line(text)) << text;
  }
}

TEST(IsPlainLineTest, WhatBreaksOrDisguisesALineIsNot) {
  for (const char* text : {"a\nb", "a\tb", "\x1b[2J", "\x7f", "\u0085", "\u2028", "\u202e gnp.exe", "\u2066"}) {
    EXPECT_FALSE(is_plain_line(text)) << printable(text);
  }
  EXPECT_FALSE(is_plain_line(std::string_view("a\0b", 3)));
}

TEST(IsPlainLineTest, MalformedUtf8IsNot) {
  for (const char* text : {"\xff", "\x80", "\xc3", "\xc3(", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                           "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "ok\xf0\x9f\x98"}) {
    EXPECT_FALSE(is_plain_line(text)) << printable(text);
  }
}

}  // namespace
}  // namespace isolate::text
