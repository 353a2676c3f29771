#include "isolatectl/exec_line.h"

#include <gtest/gtest.h>

#include "base/testing.h"
#include "isolatectl/desktop_entry.h"

namespace isolate {
namespace {

using Words = std::vector<std::string>;
using test::message_of;
using test::must;

TEST(ExecLineTest, ReservedCharactersAreQuoted) {
  EXPECT_EQ(must(exec_line({"/usr/bin/isolate", "-z", "debian", "--", "xterm"})),
            "/usr/bin/isolate -z debian -- xterm");
  EXPECT_EQ(must(exec_line({"a", "two words"})), "a \"two words\"");
  EXPECT_EQ(must(exec_line({"a", ""})), "a \"\"");
  EXPECT_EQ(must(exec_line({"a", "$(id)"})), "a \"\\$(id)\"");
  EXPECT_EQ(must(exec_line({"a", "\"`\\"})), "a \"\\\"\\`\\\\\"");
  for (const std::string reserved : {"'", ">", "<", "~", "|", "&", ";", "*", "?", "#", "(", ")"}) {
    EXPECT_EQ(must(exec_line({reserved})), "\"" + reserved + "\"");
  }
}

TEST(ExecLineTest, APercentSignIsDoubled) {
  EXPECT_EQ(must(exec_line({"a", "100%"})), "a \"100%%\"");
  EXPECT_EQ(must(exec_line({"a", "%U"})), "a \"%%U\"");
}

// The specification's own example: four backslashes in the file are one in the argument, since the escapes of values
// are undone before the quotes.
TEST(ExecLineTest, ABackslashStandsFourTimesInTheFile) {
  DesktopEntry entry;
  entry.set("Exec", must(exec_line({"a", "\\"})));
  EXPECT_EQ(entry.text(), "[Desktop Entry]\nExec=a \"\\\\\\\\\"\n");
}

TEST(ExecLineTest, EachCommandIsReadAsItself) {
  std::string all;
  for (char c = 0x20; c < 0x7f; ++c) all += c;
  const Words commands[] = {{"a"},
                            {"a", "", "", "b"},
                            {"a", all},
                            {"a", "\\\\", "\\\"", "%%", "%%U", "% U"},
                            {"a", " x ", "  "},
                            {"a", "--", "-z", "$HOME", "`id`", "$(id)", "a;b", "a\\nb"},
                            {"a", "Ünïcödé", "写真"}};
  for (const auto& command : commands) {
    DesktopEntry entry;
    entry.set("Exec", must(exec_line(command)));
    const auto read = must(DesktopEntry::parse(entry.text()));
    EXPECT_EQ(must(words_of_exec_line(read.value("Exec"))), command) << entry.text();
  }
  for (char c = 0x20; c < 0x7f; ++c) {
    const Words command = {"a", std::string(1, c), std::string("x") + c, c + std::string("x")};
    EXPECT_EQ(must(words_of_exec_line(must(exec_line(command)))), command);
  }
}

TEST(ExecLineTest, AnArgumentOfMoreThanALineIsRefused) {
  for (const std::string& argument : {std::string("a\nb"), std::string("a\tb"), std::string("\x1b"),
                                      std::string("\xff"), std::string("a\0b", 3), std::string("\r")}) {
    EXPECT_NE(message_of(exec_line({"a", argument})).find("not a line of printable"), std::string::npos);
  }
}

TEST(ExecLineTest, AProgramWithAnEqualsSignIsRefused) {
  EXPECT_FALSE(exec_line({"/opt/a=b/isolate", "x"}));
  EXPECT_TRUE(exec_line({"/opt/isolate", "a=b"}));
}

TEST(WordsOfExecLineTest, FieldCodesStandForNothing) {
  EXPECT_EQ(must(words_of_exec_line("firefox %u")), (Words{"firefox"}));
  EXPECT_EQ(must(words_of_exec_line("gimp --file=%f -n %% %i")), (Words{"gimp", "--file=", "-n", "%"}));
  EXPECT_EQ(must(words_of_exec_line("a %")), (Words{"a"}));
  EXPECT_EQ(must(words_of_exec_line("a b%\xc3\x93z")), (Words{"a", "bz"})) << "an unknown code of two bytes";
  EXPECT_EQ(must(words_of_exec_line("%U")), Words());
  EXPECT_EQ(must(words_of_exec_line("   ")), Words());
}

TEST(WordsOfExecLineTest, MalformedQuotesAreRefused) {
  for (const char* line : {"a \"b", "a \"b\"c", "a \"b\\", "a \"\\x\"", "\""}) {
    EXPECT_FALSE(words_of_exec_line(line)) << line;
  }
}

TEST(WordsOfExecLineTest, NothingIsExpanded) {
  EXPECT_EQ(must(words_of_exec_line("sh -c $(id) `id` ~ *")), (Words{"sh", "-c", "$(id)", "`id`", "~", "*"}));
}

}  // namespace
}  // namespace isolate
