#include "base/text.h"

#include <gtest/gtest.h>
#include <stdio.h>

#include <cstdint>

#include "base/testing.h"

namespace isolate {
namespace {

using Words = std::vector<std::string>;

bool is_number(std::string_view text) { return text::number(text, "size", 0, 1000).has_value(); }

TEST(TextTest, NumbersArePlainDecimals) {
  EXPECT_EQ(text::number("0", "size", 0, 1000).value(), 0U);
  EXPECT_EQ(text::number("1000", "size", 0, 1000).value(), 1000U);
  EXPECT_EQ(text::number("18446744073709551615", "size", 0, UINT64_MAX).value(), UINT64_MAX);
}

TEST(TextTest, AnythingButAPlainDecimalIsAnError) {
  for (const char* text : {"", "010", "00", "+5", "-5", "-0", " 5", "5 ", "5x", "x5", "0x10", "1e3", "1.0", "5\n",
                           "1,0", "1'0", "\xd9\xa5"}) {
    EXPECT_FALSE(is_number(text)) << "'" << text << "'";
  }
  EXPECT_FALSE(is_number(std::string_view("5\0", 2))) << "a NUL after the digits";
}

TEST(TextTest, NumbersOutsideTheRangeAreErrors) {
  EXPECT_FALSE(text::number("4", "size", 5, 10));
  EXPECT_TRUE(text::number("5", "size", 5, 10));
  EXPECT_TRUE(text::number("10", "size", 5, 10));
  EXPECT_FALSE(text::number("11", "size", 5, 10));
  EXPECT_FALSE(text::number("18446744073709551616", "size", 0, UINT64_MAX)) << "one more than fits in 64 bits";
  EXPECT_FALSE(text::number("99999999999999999999999999", "size", 0, UINT64_MAX));
}

TEST(TextTest, TheErrorNamesTheAllowedRange) {
  const auto refused = text::number("5\033x", "uid-base", 1, 70);
  EXPECT_EQ(test::message_of(refused), "uid-base: '5\\x1bx' is not a whole number from 1 to 70");
}

TEST(TextTest, SplittingKeepsEmptyParts) {
  EXPECT_EQ(text::split("", ':'), Words{""});
  EXPECT_EQ(text::split("a::b:", ':'), (Words{"a", "", "b", ""}));
  EXPECT_EQ(text::split("a", ':'), Words{"a"});
}

TEST(TextTest, JoiningPutsTheSeparatorBetweenParts) {
  EXPECT_EQ(text::join({}, ", "), "");
  EXPECT_EQ(text::join({"a"}, ", "), "a");
  EXPECT_EQ(text::join({"a", "", "a"}, ", "), "a, , a");
}

TEST(TextTest, PrintableEscapesControlBytes) {
  EXPECT_EQ(text::printable("a\033[2J\n\x7f"), "a\\x1b[2J\\x0a\\x7f");
  EXPECT_EQ(text::printable(std::string_view("\0", 1)), "\\x00");
}

TEST(TextTest, PrintableKeepsOrdinaryText) {
  EXPECT_EQ(text::printable("h\xc3\xa9llo w\xc3\xb6rld ~"), "h\xc3\xa9llo w\xc3\xb6rld ~");
}

// U+0080 to U+009F are control characters: U+009B does the same as ESC [.
TEST(TextTest, PrintableEscapesControlCharactersEncodedInUtf8) {
  EXPECT_EQ(text::printable("\xc2\x9b").find("\xc2\x9b"), std::string::npos);
  EXPECT_EQ(text::printable("\xc2\x9d").find("\xc2\x9d"), std::string::npos);
  EXPECT_EQ(text::printable("\xc2\xa0"), "\xc2\xa0") << "a no-break space is not a control character";
}

std::string word_read_by_shell(const std::string& quoted) {
  FILE* shell = ::popen(("printf %s " + quoted).c_str(), "r");
  std::string word;
  for (int c = 0; (c = ::fgetc(shell)) != EOF;) word += static_cast<char>(c);
  ::pclose(shell);
  return word;
}

TEST(TextTest, AShellReadsAQuotedWordUnchanged) {
  for (const char* word : {"plain", "", "a b", "it's", "'", "$HOME", "`id`", "a\\b", "a\nb", "*", "~root", "\"", "a;b",
                           "#x", "!x", "--flag=a,b"}) {
    EXPECT_EQ(word_read_by_shell(text::shell_quoted(word)), word);
  }
}

TEST(TextTest, PlainWordsAreNotQuoted) {
  EXPECT_EQ(text::shell_quoted("/usr/bin/g++"), "/usr/bin/g++");
  EXPECT_EQ(text::shell_quoted("--cap-add=A,B"), "--cap-add=A,B");
  EXPECT_EQ(text::shell_quoted(""), "''");
}

TEST(TextTest, NamesAreLettersDigitsAndPunctuationAfterALetterOrDigit) {
  for (const char* name : {"a", "9", "Debian", "debian-12.5_x", "a..b"}) EXPECT_TRUE(text::is_name(name, 40)) << name;
  for (const char* name : {"", ".", "..", ".a", "-a", "_a", "a/b", "a b", "a\n", "a:b", "\xc3\xa9", "a\xc3\xa9", "*"}) {
    EXPECT_FALSE(text::is_name(name, 40)) << name;
  }
  EXPECT_FALSE(text::is_name(std::string_view("a\0b", 3), 40));
}

TEST(TextTest, NamesLongerThanAllowedAreRefused) {
  EXPECT_TRUE(text::is_name(std::string(40, 'a'), 40));
  EXPECT_FALSE(text::is_name(std::string(41, 'a'), 40));
}

TEST(TextTest, SizesUseTheLargestUnitThatFits) {
  EXPECT_EQ(text::human_size(0), "0 B");
  EXPECT_EQ(text::human_size(1023), "1023 B");
  EXPECT_EQ(text::human_size(1024), "1.0 KiB");
  EXPECT_EQ(text::human_size(3 << 19), "1.5 MiB");
  EXPECT_EQ(text::human_size(std::uint64_t{5} << 40), "5.0 TiB");
  EXPECT_EQ(text::human_size(std::uint64_t{4096} << 40), "4096.0 TiB") << "TiB is the largest unit";
}

TEST(TextTest, DurationsUseAtMostTwoUnits) {
  EXPECT_EQ(text::human_duration(0), "0s");
  EXPECT_EQ(text::human_duration(59), "59s");
  EXPECT_EQ(text::human_duration(192), "3m12s");
  EXPECT_EQ(text::human_duration(3600), "1h00m");
  EXPECT_EQ(text::human_duration(86399), "23h59m");
  EXPECT_EQ(text::human_duration(90000), "1d01h");
}

}  // namespace
}  // namespace isolate
