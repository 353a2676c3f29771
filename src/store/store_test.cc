#include "store/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/mount.h"

namespace isolate {
namespace {

TEST(TemplateNameTest, IsUsableAsADirectoryAndInAHostName) {
  for (const char* name : {"debian", "debian-12.5", "9front", "a"}) EXPECT_TRUE(check_template_name(name)) << name;
  for (const char* name : {"", ".", "..", "../etc", "a/b", "/etc", ".hidden", "-z", "a b", "a\n"}) {
    EXPECT_FALSE(check_template_name(name)) << name;
  }
}

TEST(TemplateNameTest, HasAtMostFortyCharacters) {
  EXPECT_TRUE(check_template_name(std::string(40, 'a')));
  EXPECT_FALSE(check_template_name(std::string(41, 'a')));
}

TEST(TemplateNameTest, TheErrorShowsHostileNamesInPart) {
  const auto message = test::message_of(check_template_name("\033[2J" + std::string(10000, 'x')));
  EXPECT_EQ(message.find('\033'), std::string::npos);
  EXPECT_LT(message.size(), 300U);
}

// Directories whose mounts are gone must cost a run nothing.
TEST(MountedClonesTest, AreThoseOnWhichSomethingIsMounted) {
  test::in_private_mounts([]() -> Result<void> {
    auto run = TRY(mount::make("tmpfs", {}, 0));
    TRY_VOID(mount::attach(run, TRY(open_file(AT_FDCWD, "/run", O_PATH | O_DIRECTORY)).get(), "/run"));
    TRY_VOID(test::verify(mounted_clones().empty(), "none without a directory"));
    const std::string mounted = std::string(kCloneMounts) + "/mounted";
    TRY_VOID(make_directories(mounted, 0700));
    TRY_VOID(make_directories(std::string(kCloneMounts) + "/left", 0700));
    TRY_VOID(test::verify(mounted_clones().empty(), "none of those on which nothing is mounted"));
    auto clone = TRY(mount::make("tmpfs", {}, 0));
    TRY_VOID(mount::attach(clone, TRY(open_file(AT_FDCWD, mounted, O_PATH | O_DIRECTORY)).get(), mounted));
    TRY_VOID(test::verify(mounted_clones() == std::vector{mounted}, "the one on which something is mounted"));
    let_go_of_mounted_clones();
    return test::verify(mounted_clones().empty(), "none is left");
  });
}

}  // namespace
}  // namespace isolate
