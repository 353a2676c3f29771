#include "isolatectl/desktop_entry.h"

#include <gtest/gtest.h>

namespace isolate {
namespace {

using Texts = std::vector<std::pair<std::string, std::string>>;

TEST(DesktopEntryTest, OnlyTextsAreTakenOfTheEntryThatStartsTheProgram) {
  const auto found = find_entry(
      "[Desktop Entry]\nName=Other\nExec=other\n"
      "[Desktop Entry]\nName=Editor\nName[de]=Bearbeiter\nExec=/usr/bin/edit %F\nTryExec=/bin/evil\nIcon=edit\n"
      "Categories=Office;Audio;Nonsense;\nMimeType=text/html;\nTerminal=true\nX-Other=1\n"
      "[Desktop Action new]\nName=New\nExec=evil\n",
      "edit");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->texts, (Texts{{"Name", "Editor"}, {"Name[de]", "Bearbeiter"}}));
  EXPECT_EQ(found->categories, "Office;AudioVideo;");
  EXPECT_EQ(found->icon, "edit");
  EXPECT_TRUE(found->terminal);
  EXPECT_FALSE(find_entry("[Desktop Entry]\nName=X\nExec=x\n", "y"));
  EXPECT_FALSE(find_entry("", "y"));
}

TEST(DesktopEntryTest, LinesOfAnActionAreNotTakenForTheEntrys) {
  EXPECT_FALSE(find_entry("[Desktop Entry]\nName=X\nExec=x\n[Desktop Action a]\nName=A\nExec=y\n", "y"));
}

TEST(DesktopEntryTest, TextsThatCouldDeceiveAreLeftOut) {
  const std::string entry = "[Desktop Entry]\nExec=x\nName=X\n";
  for (const std::string bad : {"Comment=a\x1b[31m", "Comment=\xff", "Comment=\xc0\xaf",
                                "Comment=\xe2\x80\xae"
                                "gpj",
                                "Comment[../x]=a", "Comment[]=a"}) {
    const auto found = find_entry(entry + bad + "\n", "x");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->texts, (Texts{{"Name", "X"}})) << bad;
  }
  EXPECT_EQ(find_entry(entry + "Comment=" + std::string(257, 'a') + "\n", "x")->texts.size(), 1U);
  EXPECT_EQ(find_entry(entry + "Name=Y\n", "x")->texts, (Texts{{"Name", "X"}}));
}

TEST(DesktopEntryTest, WordsOfACommandAreQuotedForExec) {
  EXPECT_EQ(exec_value({"/usr/bin/isolate", "-z", "a"}).value(), "/usr/bin/isolate -z a");
  EXPECT_EQ(exec_value({"a b", "", "c;d", "100%", "%f"}).value(), "\"a b\" \"\" \"c;d\" 100%% %%f");
  EXPECT_EQ(exec_value({R"(a"b$c`d\e)"}).value(), R"("a\\"b\\$c\\`d\\\\e")");
  EXPECT_FALSE(exec_value({"a\nExec=b"}));
  EXPECT_FALSE(exec_value({"a\x01"}));
}

std::string png(unsigned char width) {
  std::string bytes("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0", 19);
  bytes += static_cast<char>(width);
  bytes += std::string("\0\0\0\x10", 4) + std::string(32, 'x');
  return bytes;
}

TEST(IconTest, TheContentTellsTheKind) {
  EXPECT_EQ(icon_kind(png(16)).value(), "png");
  EXPECT_EQ(icon_kind("<svg xmlns=\"http://www.w3.org/2000/svg\"/>").value(), "svg");
  EXPECT_EQ(icon_kind("\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- c -->\n<svg><use xlink:href=\"#a\"/></svg>").value(),
            "svg");
  EXPECT_EQ(icon_kind("<svg><image href='data:image/png;base64,AA'/></svg>").value(), "svg");
}

TEST(IconTest, WhatIsNoIconIsRefused) {
  const std::string huge = "<svg>" + std::string(kMostIconBytes, ' ');
  for (const auto& bad :
       {std::string(), std::string("GIF89a"), png(0), huge, std::string("<html><svg/></html>"),
        std::string("<!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>"), std::string("<svg><!entity x></svg>"),
        std::string("<svg><SCRIPT>1</SCRIPT></svg>"), std::string("<svg><a href=\"/etc/passwd\"/></svg>"),
        std::string("<svg><image href=\"https://x/\"/></svg>"), std::string("<!-- <svg>")}) {
    EXPECT_FALSE(icon_kind(bad)) << bad.substr(0, 80);
  }
}

}  // namespace
}  // namespace isolate
