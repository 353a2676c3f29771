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

TEST(TemplateNameTest, TheErrorEscapesAndTruncatesHostileNames) {
  const auto message = test::message_of(check_template_name("\033[2J" + std::string(10000, 'x')));
  EXPECT_EQ(message.find('\033'), std::string::npos);
  EXPECT_LT(message.size(), 300U);
}

// Directories without mounts are left over when a pool is exported. They must not slow down a run.
TEST(MountedClonesTest, ListsOnlyDirectoriesOnWhichSomethingIsMounted) {
  test::in_private_mounts([]() -> Result<void> {
    auto run = TRY(mount::make("tmpfs", {}, 0));
    TRY_VOID(mount::attach(run, TRY(open_file(AT_FDCWD, "/run", O_PATH | O_DIRECTORY)).get(), "/run"));
    TRY_VOID(test::verify(mounted_clones().empty(), "no mounts without the directory"));
    const std::string mounted = std::string(kCloneMounts) + "/mounted";
    TRY_VOID(make_directories(mounted, 0700));
    TRY_VOID(make_directories(std::string(kCloneMounts) + "/left", 0700));
    TRY_VOID(test::verify(mounted_clones().empty(), "no directories without a mount"));
    auto clone = TRY(mount::make("tmpfs", {}, 0));
    TRY_VOID(mount::attach(clone, TRY(open_file(AT_FDCWD, mounted, O_PATH | O_DIRECTORY)).get(), mounted));
    TRY_VOID(test::verify(mounted_clones() == std::vector{mounted}, "the directory with a mount"));
    detach_mounted_clones();
    return test::verify(mounted_clones().empty(), "no mount is left");
  });
}

}  // namespace
}  // namespace isolate
