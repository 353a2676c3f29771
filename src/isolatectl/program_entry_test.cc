#include "isolatectl/program_entry.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

using test::must;
using test::write_text;

constexpr const char* kDrawing = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>";

class ProgramEntryTest : public ::testing::Test {
 protected:
  void add(const std::string& name, const std::string& lines) {
    write_text(root_ / ("usr/share/applications/" + name), "[Desktop Entry]\nType=Application\n" + lines);
  }
  TemplateFiles files() const { return TemplateFiles(must(open_file(AT_FDCWD, root_.path(), O_PATH | O_DIRECTORY))); }
  // Returns the Name of the entry for the command, or "".
  std::string name_for(const std::vector<std::string>& command) const {
    const auto entry = find_program_entry(files(), command);
    return entry ? entry->value("Name") : "";
  }

  test::TempDirectory root_;
};

TEST_F(ProgramEntryTest, TheEntryOfTheProgramIsFound) {
  add("a.desktop", "Name=Other\nExec=other\n");
  add("b.desktop", "Name=Firefox\nExec=/usr/lib/firefox/firefox %u\n");
  EXPECT_EQ(name_for({"firefox"}), "Firefox");
  EXPECT_EQ(name_for({"/usr/bin/firefox", "--new-window"}), "Firefox");
  EXPECT_EQ(name_for({"fire"}), "");
  EXPECT_EQ(name_for({"sh", "-c", "firefox"}), "");
}

TEST_F(ProgramEntryTest, TheSameArgumentsComeFirst) {
  add("a.desktop", "Name=Hidden\nExec=office\nNoDisplay=true\n");
  add("b.desktop", "Name=Calc\nExec=office --calc %U\n");
  add("c.desktop", "Name=Writer\nExec=office --writer %U\n");
  EXPECT_EQ(name_for({"office", "--writer"}), "Writer");
  EXPECT_EQ(name_for({"office", "--other"}), "Calc");
}

TEST_F(ProgramEntryTest, EntriesThatStartNothingAreNone) {
  add("a.desktop", "Name=A\nExec=a\nHidden=true\n");
  add("b.desktop", "Name=B\nType=Link\nExec=a\n");
  add("c.desktop", "Name=C\n");
  add("d.desktop", "Name=D\nExec=a \"malformed\n");
  add("e.txt", "Name=E\nExec=a\n");
  EXPECT_EQ(name_for({"a"}), "");
}

TEST_F(ProgramEntryTest, HostileFilesAreSkipped) {
  write_text(root_ / "usr/share/applications/long.desktop",
             "[Desktop Entry]\nType=Application\nExec=a\nName=" + std::string(1 << 20, 'x'));
  ASSERT_EQ(::mkfifo((root_ / "usr/share/applications/pipe.desktop").c_str(), 0600), 0);
  ASSERT_EQ(::symlink("/etc/shadow", (root_ / "usr/share/applications/shadow.desktop").c_str()), 0);
  add("z.desktop", "Name=A\nExec=a\n");
  EXPECT_EQ(name_for({"a"}), "A");
}

TEST_F(ProgramEntryTest, ADirectoryThatLeadsOutsideIsEmpty) {
  const test::TempDirectory outside;
  write_text(outside / "a.desktop", "[Desktop Entry]\nType=Application\nExec=a\nName=A\n");
  std::filesystem::create_directories(root_ / "usr/share");
  ASSERT_EQ(::symlink(outside.path().c_str(), (root_ / "usr/share/applications").c_str()), 0);
  EXPECT_EQ(name_for({"a"}), "");
}

TEST(CopyDescriptionTest, WhatStartsSomethingIsNotCopied) {
  const auto from = must(DesktopEntry::parse(
      "[Desktop Entry]\nName=A\nName[de]=Ä\nGenericName=G\nComment=C\nKeywords=a;b\nCategories=Game;X-a;\n"
      "StartupWMClass=W\nTerminal=true\nExec=evil\nTryExec=evil\nActions=New;\nDBusActivatable=true\nPath=/\n"
      "MimeType=text/html;\nURL=http://example.org\nIcon=i\nType=Link\nX-KDE-Extra=x\nTerminal[de]=false\n"
      "X-Isolate-Template=other\nOnlyShowIn=GNOME;\nImplements=a;\n"));
  DesktopEntry to;
  copy_description(from, &to);
  EXPECT_EQ(to.all(), (std::map<std::string, std::string>{{"Name", "A"},
                                                          {"Name[de]", "Ä"},
                                                          {"GenericName", "G"},
                                                          {"Comment", "C"},
                                                          {"Keywords", "a;b;"},
                                                          {"Categories", "Game;X-a;"},
                                                          {"StartupWMClass", "W"},
                                                          {"Terminal", "true"}}));
}

TEST(CopyDescriptionTest, ValuesThatAreNotAsTheyShouldBeAreLeftOut) {
  const auto from =
      must(DesktopEntry::parse("[Desktop Entry]\nName=a\\nExec=b\nGenericName=\xff\nComment=" + std::string(1001, 'x') +
                               "\nCategories=Game;\"\nTerminal=maybe\nKeywords=\x1b[2J\n"));
  DesktopEntry to;
  to.set("Name", "kept");
  copy_description(from, &to);
  EXPECT_EQ(to.all(), (std::map<std::string, std::string>{{"Name", "kept"}}));
}

TEST_F(ProgramEntryTest, IconsAreFoundByNameAndByPath) {
  write_text(root_ / "usr/share/icons/hicolor/scalable/apps/a.svg", kDrawing);
  write_text(root_ / "opt/b/icon.svg", kDrawing);
  write_text(root_ / "usr/share/pixmaps/c.svg", kDrawing);
  for (const char* icon : {"a", "a.png", "/opt/b/icon.svg", "/opt/../opt/b/icon.svg", "c"}) {
    const auto found = find_icons(files(), icon);
    ASSERT_EQ(found.icons.size(), 1U) << icon;
    EXPECT_EQ(found.icons[0].content, kDrawing);
    EXPECT_EQ(found.problem, "");
  }
  EXPECT_TRUE(find_icons(files(), "missing").icons.empty());
  EXPECT_TRUE(find_icons(files(), "../../../../../opt/b/icon").icons.empty());
}

TEST_F(ProgramEntryTest, AHostileIconIsLeftOutWithAReason) {
  const auto apps = root_ / "usr/share/icons/hicolor/scalable/apps";
  write_text(apps + "/script.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"><script/></svg>");
  write_text(apps + "/sparse.svg", kDrawing);
  ASSERT_EQ(::truncate((apps + "/sparse.svg").c_str(), 100 << 20), 0);
  ASSERT_EQ(::mkfifo((apps + "/pipe.svg").c_str(), 0600), 0);
  write_text(root_ / "etc/shadow", "root:*:");
  ASSERT_EQ(::symlink("/etc/shadow", (apps + "/shadow.svg").c_str()), 0);
  for (const char* icon : {"script", "sparse", "pipe", "shadow"}) {
    const auto found = find_icons(files(), icon);
    EXPECT_TRUE(found.icons.empty()) << icon;
    EXPECT_NE(found.problem.find(std::string("/") + icon + ".svg: "), std::string::npos) << found.problem;
  }
}

}  // namespace
}  // namespace isolate
