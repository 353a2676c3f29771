#include "launch/guest_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>

#include <cstdint>

#include "base/testing.h"
#include "launch/guest_streams_testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

using test::become_caller;
using test::copy_bytes;
using test::expect_status;
using test::fill;
using test::run_guest;
using test::verify;

TEST(GuestStreamsTest, FilesAreCopiedThroughPipes) {
  const test::TempDirectory directory;
  fill(directory / "in", 5'000'000);
  test::in_child([&]() -> Result<void> {
    TRY_VOID(become_caller(directory / "in", directory / "out", O_WRONLY));
    const auto status = run_guest([](int in, int out) { return copy_bytes(in, out, SIZE_MAX); });
    TRY_VOID(expect_status(status, 0));
    return verify(TRY(read_file(directory / "in", 1 << 23)) == TRY(read_file(directory / "out", 1 << 23)), "the same");
  });
}

TEST(GuestStreamsTest, WhatTheGuestHasNotReadIsGivenBack) {
  const test::TempDirectory directory;
  fill(directory / "in", 5'000'000);
  test::in_child([&]() -> Result<void> {
    TRY_VOID(become_caller(directory / "in", directory / "out", O_WRONLY));
    TRY_VOID(expect_status(run_guest([](int in, int out) { return copy_bytes(in, out, 100'000); }), 0));
    return verify(::lseek(0, 0, SEEK_CUR) == 100'000, "where the guest has stopped");
  });
}

TEST(GuestStreamsTest, AppendedIsAtTheEnd) {
  const test::TempDirectory directory;
  fill(directory / "in", 100'000);
  fill(directory / "out", 10);
  test::in_child([&]() -> Result<void> {
    TRY_VOID(become_caller(directory / "in", directory / "out", O_WRONLY | O_APPEND));
    TRY_VOID(expect_status(run_guest([](int in, int out) { return copy_bytes(in, out, SIZE_MAX); }), 0));
    return verify(TRY(read_file(directory / "out")).size() == 100'003 + 13, "its size");
  });
}

TEST(GuestStreamsTest, ALargeMessageOfASocketIsReadAsAWhole) {
  test::in_child([]() -> Result<void> {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) return fail(errno, "socketpair");
    const std::string message(150'000, 'x');
    TRY_VOID(become_caller("/dev/null", "/dev/null", O_WRONLY));
    if (::dup2(ends[0], 0) < 0 || ::close(ends[0]) != 0) return fail(errno, "dup2");
    if (::send(ends[1], message.data(), message.size(), 0) != static_cast<ssize_t>(message.size())) {
      return fail(errno, "send");
    }
    ::close(ends[1]);
    return expect_status(run_guest([&](int in, int) {
                           std::size_t size = 0;
                           char buffer[4096];
                           for (ssize_t got = 0; (got = ::read(in, buffer, sizeof buffer)) > 0;) {
                             size += static_cast<std::size_t>(got);
                           }
                           return size == message.size() ? 0 : 1;
                         }),
                         0);
  });
}

TEST(GuestStreamsTest, AFullDiskIsAnError) {
  const test::TempDirectory directory;
  fill(directory / "in", 100'000);
  test::in_child([&]() -> Result<void> {
    TRY_VOID(become_caller(directory / "in", directory / "out", O_WRONLY));
    const rlimit limit{4096, 4096};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return fail(errno, "setrlimit");
    ::signal(SIGXFSZ, SIG_IGN);
    const auto status = run_guest([](int in, int out) {
      copy_bytes(in, out, SIZE_MAX);  // fails if the copier has ended before the last byte
      return 0;
    });
    return verify(!status && status.error().message().find("File too large") != std::string::npos, "an error");
  });
}

TEST(GuestStreamsTest, AGuestThatHasGoneDoesNotHoldUpAnInputThatNeverEnds) {
  const test::TempDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "in").c_str(), 0600), 0);
  test::in_child([&]() -> Result<void> {
    const auto writer = TRY(open_file(AT_FDCWD, directory / "in", O_RDWR));
    TRY_VOID(become_caller(directory / "in", directory / "out", O_WRONLY));
    return expect_status(run_guest([](int, int) { return 0; }), 0);
  });
}

TEST(GuestStreamsTest, ASinkThatTakesNothingIsWaitedForUntilASignalComes) {
  const test::TempDirectory directory;
  fill(directory / "in", 3'000);
  ASSERT_EQ(::mkfifo((directory / "out").c_str(), 0600), 0);
  test::in_child([&]() -> Result<void> {
    const auto sink = TRY(open_file(AT_FDCWD, directory / "out", O_RDWR));
    constexpr int kRoom = 1 << 18;  // a smaller pipe gets more room
    if (::fcntl(sink.get(), F_SETPIPE_SZ, kRoom) < 0) return fail(errno, "pipe");
    TRY_VOID(write_all(sink.get(), std::string(kRoom, 'x'), "sink"));
    TRY_VOID(become_caller(directory / "in", directory / "out", O_WRONLY));
    const auto write = [](int in, int out) { return copy_bytes(in, out, SIZE_MAX); };
    const auto hurried = run_guest(write, false);
    TRY_VOID(verify(!hurried, "an error"));
    ::lseek(0, 0, SEEK_SET);
    auto killer = TRY(fork_child(0, [] {
      ::usleep(300'000);
      return ::kill(::getppid(), SIGTERM);
    }));
    TRY_VOID(expect_status(run_guest(write), 128 + SIGTERM));
    return verify(killer.wait().value().success(), "kill");
  });
}

TEST(GuestStreamsTest, ADeviceThatBlocksDoesNotOutlastAHurry) {
  test::in_child([]() -> Result<void> {
    const Fd control(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (::grantpt(control.get()) != 0 || ::unlockpt(control.get()) != 0) return fail(errno, "terminal");
    const Fd side(::ioctl(control.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    termios modes{};
    ::cfmakeraw(&modes);
    ::tcsetattr(side.get(), TCSANOW, &modes);
    TRY_VOID(become_caller("/dev/zero", "/dev/null", O_WRONLY));
    if (::dup2(control.get(), 1) < 0) return fail(errno, "dup2");
    const auto flood = [](int in, int out) {
      ::alarm(1);
      return copy_bytes(in, out, SIZE_MAX);
    };
    return verify(!run_guest(flood, false), "an error");
  });
}

TEST(GuestStreamsTest, WhatPollNeverCallsWritableFailsAtOnce) {
  test::in_child([]() -> Result<void> {
    const Fd sink(::epoll_create1(EPOLL_CLOEXEC));
    TRY_VOID(become_caller("/dev/null", "/dev/null", O_WRONLY));
    if (::dup2(sink.get(), 1) < 0) return fail(errno, "dup2");
    const auto status = run_guest([](int, int out) { return write_all(out, "x", "test") ? 0 : 1; });
    return verify(!status && status.error().message().find("Invalid argument") != std::string::npos, "an error");
  });
}

TEST(GuestStreamsTest, AnInputThatCannotBeReadIsAnError) {
  const test::TempDirectory directory;
  test::in_child([&]() -> Result<void> {
    TRY_VOID(become_caller("/proc/self/mem", directory / "out", O_WRONLY));  // nothing is at 0
    const auto status = run_guest([](int in, int out) { return copy_bytes(in, out, SIZE_MAX); });
    return verify(!status && status.error().message().find("Input/output error") != std::string::npos, "an error");
  });
}

TEST(GuestStreamsTest, DirectoriesAreRefused) {
  const test::TempDirectory directory;
  test::in_child([&]() -> Result<void> {
    TRY_VOID(become_caller(directory.path(), directory / "out", O_WRONLY));
    return verify(!GuestStreams::prepare({}), "an error");
  });
}

Result<mode_t> mode_of(int fd) { return TRY(status_of(fd, "", AT_EMPTY_PATH)).st_mode & 07777; }
Result<bool> is_same_pipe(int one, int other) {
  const auto first = TRY(status_of(one, "", AT_EMPTY_PATH));
  const auto second = TRY(status_of(other, "", AT_EMPTY_PATH));
  return first.st_ino == second.st_ino && first.st_dev == second.st_dev;
}

// Options for a guest that does not have the caller's id.
StreamOptions options_of_other_ids() {
  StreamOptions options;
  options.guest_uids = {};
  return options;
}

TEST(GuestStreamsTest, AGuestWithOtherIdsHasTheCallersPipesInTheirOwnDirectionUntilTheEnd) {
  test::in_child([]() -> Result<void> {
    const auto in = TRY(make_pipe("test"));
    const auto out = TRY(make_pipe("test"));
    if (::dup2(in.read.get(), 0) < 0 || ::dup2(out.write.get(), 1) < 0) return fail(errno, "dup2");
    {
      const auto streams = TRY(GuestStreams::prepare(options_of_other_ids()));
      TRY_VOID(verify(TRY(is_same_pipe(0, streams.descriptor(0))), "the input is the caller's"));
      TRY_VOID(verify(TRY(is_same_pipe(1, streams.descriptor(1))), "the output is"));
      TRY_VOID(verify(TRY(mode_of(0)) == 0604 && TRY(mode_of(1)) == 0602, "open in one direction"));
      ::fchmod(streams.descriptor(0), 0);
    }
    return verify(TRY(mode_of(0)) == 0600 && TRY(mode_of(1)) == 0600, "as before");
  });
}

TEST(GuestStreamsTest, AGuestThatOwnsTheCallersPipeWritesToAnother) {
  test::in_child([]() -> Result<void> {
    const auto out = TRY(make_pipe("test"));
    if (::dup2(out.write.get(), 1) < 0) return fail(errno, "dup2");
    const auto streams = TRY(GuestStreams::prepare({}));
    TRY_VOID(verify(!TRY(is_same_pipe(1, streams.descriptor(1))), "another pipe"));
    TRY_VOID(verify(TRY(mode_of(streams.descriptor(1))) == 0602, "the guest can open its output to write"));
    return verify(TRY(mode_of(1)) == 0600, "the caller's output is as before");
  });
}

// Between two isolates, or of two in one direction: the second guest gets a pipe of its own.
TEST(GuestStreamsTest, OnlyOneRunAtATimeHasTheCallersPipe) {
  test::in_child([]() -> Result<void> {
    const auto pipe = TRY(make_pipe("test"));
    if (::dup2(pipe.read.get(), 0) < 0 || ::dup2(pipe.write.get(), 1) < 0) return fail(errno, "dup2");
    auto writes = options_of_other_ids();
    writes.is_needed = {false, true, false};
    auto reads = writes;
    reads.is_needed = {true, false, false};
    {
      const auto first = TRY(GuestStreams::prepare(writes));
      const auto other_end = TRY(GuestStreams::prepare(reads));
      const auto same_end = TRY(GuestStreams::prepare(writes));
      TRY_VOID(verify(TRY(is_same_pipe(1, first.descriptor(1))), "the first has it"));
      TRY_VOID(verify(!TRY(is_same_pipe(0, other_end.descriptor(0))), "nobody reads from it meanwhile"));
      TRY_VOID(verify(!TRY(is_same_pipe(1, same_end.descriptor(1))), "nor does another write to it"));
      TRY_VOID(verify(TRY(mode_of(0)) == 0602, "one direction is open"));
    }
    const auto later = TRY(GuestStreams::prepare(reads));
    return verify(TRY(is_same_pipe(0, later.descriptor(0))), "the next one has it");
  });
}

TEST(GuestStreamsTest, OutputAndErrorInOneLentPipeAreBothTheCallers) {
  test::in_child([]() -> Result<void> {
    const auto out = TRY(make_pipe("test"));
    if (::dup2(out.write.get(), 1) < 0 || ::dup2(out.write.get(), 2) < 0) return fail(errno, "dup2");
    const auto streams = TRY(GuestStreams::prepare(options_of_other_ids()));
    return verify(TRY(is_same_pipe(1, streams.descriptor(1))) && TRY(is_same_pipe(1, streams.descriptor(2))),
                  "the caller's pipe");
  });
}

TEST(GuestStreamsTest, OutputAndErrorInOnePipeShareOnePipe) {
  test::in_child([]() -> Result<void> {
    const auto out = TRY(make_pipe("test"));
    const auto again = TRY(open_file(AT_FDCWD, "/proc/self/fd/" + std::to_string(out.write.get()), O_WRONLY));
    if (::dup2(out.write.get(), 1) < 0 || ::dup2(again.get(), 2) < 0) return fail(errno, "dup2");
    const auto streams = TRY(GuestStreams::prepare({}));
    return verify(streams.descriptor(1) == streams.descriptor(2), "one descriptor");
  });
}

// A pipe has room for 16 pages. A line that is spliced would take one alone.
TEST(GuestStreamsTest, APipeThatNobodyReadsYetHoldsManyShortLines) {
  const test::TempDirectory directory;
  test::in_child([&]() -> Result<void> {
    constexpr int kLines = 100;
    const auto out = TRY(make_pipe("test"));
    TRY_VOID(become_caller("/dev/null", "/dev/null", O_WRONLY));
    if (::dup2(out.write.get(), 1) < 0) return fail(errno, "dup2");
    const auto status = run_guest(
        [&](int, int guests_out) {
          for (int i = 0; i < kLines; ++i) {
            if (!write_all(guests_out, "line\n", "test")) return 1;
            // Until it has been moved.
            for (int left = 1; left != 0;) ::ioctl(guests_out, FIONREAD, &left);
          }
          return 0;
        },
        false);
    TRY_VOID(expect_status(status, 0));
    int moved = 0;
    ::ioctl(out.read.get(), FIONREAD, &moved);
    return verify(moved == kLines * 5, "all lines");
  });
}

TEST(GuestStreamsTest, AReaderThatGoesIsNoticedByAGuestThatWrites) {
  test::in_child([]() -> Result<void> {
    auto out = TRY(make_pipe("test"));
    TRY_VOID(become_caller("/dev/null", "/dev/null", O_WRONLY));
    if (::dup2(out.write.get(), 1) < 0) return fail(errno, "dup2");
    out.read.reset();
    const auto status = run_guest([](int, int guests_out) {
      // Without a write: an error shows to poll.
      pollfd end{guests_out, 0, 0};
      return ::poll(&end, 1, 20'000) == 1 && (end.revents & POLLERR) != 0 ? 0 : 1;
    });
    return expect_status(status, 0);
  });
}

// So nothing has to be put back when isolate is killed.
TEST(GuestStreamsTest, APipeHasFlagsOfItsOwnInTheGuest) {
  test::in_child([]() -> Result<void> {
    const auto out = TRY(make_pipe("test"));
    if (::dup2(out.write.get(), 1) < 0) return fail(errno, "dup2");
    ::fcntl(1, F_SETFL, O_NONBLOCK);
    const auto streams = TRY(GuestStreams::prepare({}));
    TRY_VOID(verify((::fcntl(streams.descriptor(1), F_GETFL) & O_NONBLOCK) != 0, "as the caller's"));
    ::fcntl(streams.descriptor(1), F_SETFL, 0);
    return verify((::fcntl(1, F_GETFL) & O_NONBLOCK) != 0, "the caller's is as before");
  });
}

TEST(GuestStreamsTest, FlagsOfTheCallersOwnArePutBack) {
  const test::TempDirectory directory;
  test::in_child([&]() -> Result<void> {
    TRY_VOID(become_caller("/dev/null", directory / "out", O_WRONLY));
    {
      StreamOptions options;
      options.is_boundary = false;
      const auto streams = TRY(GuestStreams::prepare(options));
      ::fcntl(1, F_SETFL, O_NONBLOCK);
    }
    return verify((::fcntl(1, F_GETFL) & O_NONBLOCK) == 0, "blocks again");
  });
}

}  // namespace
}  // namespace isolate
