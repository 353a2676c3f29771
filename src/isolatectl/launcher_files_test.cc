#include "isolatectl/launcher_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/testing.h"

namespace isolate {
namespace {

using test::exists;
using test::message_of;
using test::must;
using test::read_text;
using test::write_text;

class LauncherFilesTest : public ::testing::Test {
 protected:
  std::vector<std::string> write(const std::string& name, const std::vector<Icon>& icons = {}) {
    DesktopEntry entry;
    entry.set("Name", name);
    entry.set(LauncherFiles::kTemplateKey, "debian");
    std::vector<std::string> warnings;
    must(launchers_.write(name, entry, icons, &warnings));
    return warnings;
  }
  std::string icon(const std::string& folder, const std::string& file) const {
    return data_ / ("share/icons/hicolor/" + folder + "/apps/" + file);
  }

  test::TempDirectory data_;
  LauncherFiles launchers_{data_ / "share", ::geteuid()};
  const Icon small_{"16x16", ".png", "small"};
  const Icon drawing_{"scalable", ".svg", "drawing"};
};

TEST_F(LauncherFilesTest, ALauncherIsWrittenFoundAndRemoved) {
  EXPECT_TRUE(write("web", {small_, drawing_}).empty());
  EXPECT_EQ(must(launchers_.all()).size(), 1U);
  EXPECT_EQ(read_text(icon("16x16", "isolate-web.png")), "small");
  EXPECT_EQ(read_text(icon("scalable", "isolate-web.svg")), "drawing");
  must(launchers_.remove("web"));
  EXPECT_TRUE(must(launchers_.all()).empty());
  EXPECT_FALSE(exists(launchers_.entry_path("web")));
  EXPECT_FALSE(exists(icon("16x16", "isolate-web.png")));
  EXPECT_FALSE(exists(icon("scalable", "isolate-web.svg")));
}

TEST_F(LauncherFilesTest, ANewVersionTakesTheIconsOfTheOldOneAway) {
  write("web", {small_, drawing_});
  EXPECT_TRUE(write("web", {{"16x16", ".png", "other"}}).empty());
  EXPECT_EQ(read_text(icon("16x16", "isolate-web.png")), "other");
  EXPECT_FALSE(exists(icon("scalable", "isolate-web.svg")));
  write("web");
  EXPECT_FALSE(exists(icon("16x16", "isolate-web.png")));
}

TEST_F(LauncherFilesTest, FilesOfOthersStay) {
  const std::string others[] = {"[Desktop Entry]\nName=mine\n", "not an entry", std::string(1 << 20, 'x')};
  for (const auto& content : others) {
    write_text(launchers_.entry_path("web"), content);
    EXPECT_NE(message_of(launchers_.find("web")).find("was not made by isolatectl"), std::string::npos);
    EXPECT_FALSE(launchers_.remove("web"));
    EXPECT_TRUE(must(launchers_.all()).empty());
    EXPECT_EQ(read_text(launchers_.entry_path("web")), content);
  }
}

TEST_F(LauncherFilesTest, LinksAndPipesInPlaceOfAnEntryAreNotOpened) {
  write("real");
  ASSERT_EQ(::symlink("isolate-real.desktop", launchers_.entry_path("link").c_str()), 0);
  ASSERT_EQ(::mkfifo(launchers_.entry_path("pipe").c_str(), 0600), 0);
  for (const char* name : {"link", "pipe"}) EXPECT_FALSE(launchers_.find(name)) << name;
  EXPECT_EQ(must(launchers_.all()).size(), 1U);
}

TEST_F(LauncherFilesTest, AnIconOfOthersStays) {
  write_text(icon("16x16", "isolate-web.png"), "mine");
  EXPECT_EQ(write("web", {small_, drawing_}).size(), 1U);
  EXPECT_EQ(read_text(icon("16x16", "isolate-web.png")), "mine");
  must(launchers_.remove("web"));
  EXPECT_EQ(read_text(icon("16x16", "isolate-web.png")), "mine");
  EXPECT_FALSE(exists(icon("scalable", "isolate-web.svg")));
}

TEST_F(LauncherFilesTest, AnEntrysListOfIconsLeadsNowhereElse) {
  write("web");
  write_text(data_ / "share/icons/apps/isolate-web.png", "mine");
  write_text(launchers_.entry_path("web"), "[Desktop Entry]\nX-Isolate-Template=t\nX-Isolate-Icons=..;./..;99x99;/;\n");
  must(launchers_.remove("web"));
  EXPECT_TRUE(exists(data_ / "share/icons/apps/isolate-web.png"));
}

TEST_F(LauncherFilesTest, NamesArePlain) {
  for (const std::string name : {"", "a/b", "../a", ".a", "-a", "a b", "a\nb", "ä"}) {
    EXPECT_NE(message_of(launchers_.find(name)).find("can't be the name of a launcher"), std::string::npos) << name;
  }
  EXPECT_FALSE(launchers_.find(std::string(61, 'a')));
  EXPECT_FALSE(must(launchers_.find("a.B-c_1")));
}

TEST_F(LauncherFilesTest, RemovingAMissingLauncherNamesTheNearest) {
  write("browser");
  EXPECT_NE(message_of(launchers_.remove("browsr")).find("nearest: browser"), std::string::npos);
}

TEST_F(LauncherFilesTest, ADirectoryOfAnotherUserIsRefused) {
  const LauncherFiles theirs(data_ / "share", ::geteuid() + 1);
  std::vector<std::string> warnings;
  EXPECT_NE(message_of(theirs.write("web", {}, {}, &warnings)).find("belongs to"), std::string::npos);
  EXPECT_FALSE(exists(theirs.entry_path("web")));
}

}  // namespace
}  // namespace isolate
