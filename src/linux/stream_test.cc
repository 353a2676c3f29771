#include "linux/stream.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

StreamKind kind_of(const Fd& fd) { return kind_of_stream(fd.get()).value(); }
Fd opened(const std::string& path, int flags) { return open_file(AT_FDCWD, path, flags, 0600).value(); }

TEST(StreamTest, KindsAreDistinguished) {
  const test::TempDirectory directory;
  EXPECT_EQ(kind_of(opened(directory / "file", O_RDWR | O_CREAT)), StreamKind::other);
  EXPECT_EQ(kind_of(opened(directory.path(), O_RDONLY)), StreamKind::directory);
  EXPECT_EQ(kind_of(opened(directory.path(), O_PATH)), StreamKind::directory);
  EXPECT_EQ(kind_of(opened(directory / "file", O_PATH)), StreamKind::path);
  EXPECT_EQ(kind_of(opened("/dev/null", O_RDWR)), StreamKind::memory_device);
  EXPECT_EQ(kind_of(make_pipe("test")->read), StreamKind::pipe);
  ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(kind_of(opened(directory / "fifo", O_RDWR)), StreamKind::other);
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  EXPECT_EQ(kind_of(Fd(ends[0])), StreamKind::other);
  ::close(ends[1]);
  EXPECT_FALSE(kind_of_stream(-1));
}

TEST(StreamTest, TheControllingSideOfAPseudoTerminalIsNotATerminal) {
  const Fd control(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_EQ(::unlockpt(control.get()), 0);
  const Fd side(::ioctl(control.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  EXPECT_EQ(kind_of(side), StreamKind::terminal);
  EXPECT_EQ(kind_of(control), StreamKind::other);
}

TEST(StreamTest, DescriptorsOfOneOpenFileAreTheSameStream) {
  const test::TempDirectory directory;
  const auto one = opened(directory / "file", O_WRONLY | O_CREAT);
  const Fd copy(::dup(one.get()));
  EXPECT_TRUE(is_same_stream(one.get(), copy.get()));
  EXPECT_FALSE(is_same_stream(one.get(), opened(directory / "file", O_WRONLY).get()));
}

TEST(StreamTest, AFileOpenedTwiceForAppendingIsTheSameStream) {
  const test::TempDirectory directory;
  const auto one = opened(directory / "file", O_WRONLY | O_CREAT | O_APPEND);
  EXPECT_TRUE(is_same_stream(one.get(), opened(directory / "file", O_WRONLY | O_APPEND).get()));
  EXPECT_FALSE(is_same_stream(one.get(), opened(directory / "other", O_WRONLY | O_CREAT | O_APPEND).get()));
}

}  // namespace
}  // namespace isolate
