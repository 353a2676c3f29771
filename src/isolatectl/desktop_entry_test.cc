#include "isolatectl/desktop_entry.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace isolate {
namespace {

using test::must;

DesktopEntry parsed(const std::string& lines) { return must(DesktopEntry::parse("[Desktop Entry]\n" + lines)); }

TEST(DesktopEntryTest, KeysAreReadWithTheirLocales) {
  const auto entry = must(
      DesktopEntry::parse("# a comment\n\n[Desktop Entry]\nName=Editor\nName[de]=Editor\nName[sr@latin]=Uređivač\n  "
                          "Type = Application \r\n"));
  EXPECT_EQ(entry.value("Name"), "Editor");
  EXPECT_EQ(entry.value("Name[sr@latin]"), "Uređivač");
  EXPECT_EQ(entry.value("Type"), "Application");
  EXPECT_EQ(entry.value("Comment"), "");
}

TEST(DesktopEntryTest, OnlyTheFirstGroupCounts) {
  const auto entry = parsed("Name=A\n[Desktop Action New]\nName=B\nExec=evil\n[Desktop Entry]\nName=C\n");
  EXPECT_EQ(entry.value("Name"), "A");
  EXPECT_EQ(entry.value("Exec"), "");
}

TEST(DesktopEntryTest, AFileWithoutTheGroupIsNoEntry) {
  for (const char* text : {"", "\n\n", "Name=A\n", "Name=A\n[Desktop Entry]\n", "[Other]\n[Desktop Entry]\nName=A\n",
                           "[Desktop Entry\nName=A\n", "\xff\xfe", "[KDE Desktop Entry]\nName=A\n"}) {
    EXPECT_FALSE(DesktopEntry::parse(text)) << text;
  }
}

TEST(DesktopEntryTest, TheLastOfTwoEqualKeysCounts) { EXPECT_EQ(parsed("Name=A\nName=B\n").value("Name"), "B"); }

TEST(DesktopEntryTest, LinesThatAreNoKeysAreIgnored) {
  const auto entry = parsed("no equals sign\n=value\nBad Key=x\nName[=x\nName[]=x\nName[a]b=x\nName\x01=x\nName=A");
  EXPECT_EQ(entry.all(), (std::map<std::string, std::string>{{"Name", "A"}}));
}

TEST(DesktopEntryTest, AValueThatIsNoPlainLineIsEmpty) {
  const auto entry = parsed(
      "A=a\\nb\nB=a\\tb\nC=\x1b[2J\nD=\xff\nF=a\\q\nG=a\\\nH=\u202e"
      "cod\n" +
      std::string("E=a\0b\n", 6));
  for (const char* key : {"A", "B", "C", "D", "E", "F", "G", "H"}) {
    ASSERT_NE(entry.raw(key), nullptr) << key;
    EXPECT_EQ(entry.value(key), "") << key;
  }
}

TEST(DesktopEntryTest, AFileThatIsTooLongIsRefused) {
  const std::string line = "Name=" + std::string(1 << 20, 'a') + "\n";
  EXPECT_TRUE(test::fails_with(DesktopEntry::parse("[Desktop Entry]\n" + line), EFBIG));
}

TEST(DesktopEntryTest, ManyKeysTakeLittleTime) {
  std::string text = "[Desktop Entry]\n";
  for (int i = 0; text.size() < DesktopEntry::kMostBytes - 10; ++i) text += std::to_string(i) + "=\n";
  EXPECT_GT(must(DesktopEntry::parse(text)).all().size(), 10000U);
}

TEST(DesktopEntryTest, AValueThatIsSetIsReadAsItself) {
  for (const std::string value : {"plain", " leading", "trailing ", " ", "  ", "", "back\\slash", "\\n", "a;b", "\\;",
                                  "a=b", "#no comment", "[Desktop Entry]", "\"quoted\" $x `y` %U", "Ünï"}) {
    DesktopEntry entry;
    entry.set("Comment", value);
    EXPECT_EQ(must(DesktopEntry::parse(entry.text())).value("Comment"), value) << entry.text();
  }
}

TEST(DesktopEntryTest, AWrittenEntryBeginsWithItsGroup) {
  DesktopEntry entry;
  entry.set("Type", "Application");
  entry.set("Name", "A");
  entry.set_raw("Keywords", "a\\;b;");
  EXPECT_EQ(entry.text(), "[Desktop Entry]\nKeywords=a\\;b;\nName=A\nType=Application\n");
}

}  // namespace
}  // namespace isolate
