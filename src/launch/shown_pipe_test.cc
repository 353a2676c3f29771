#include "launch/shown_pipe.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "base/testing.h"
#include "launch/guest_streams.h"
#include "linux/file.h"
#include "linux/held_signals.h"

namespace isolate {
namespace {

using Clock = std::chrono::steady_clock;
using test::verify;

constexpr int kMostMilliseconds = 20'000;  // more than this is a stall

// The caller of a test: its standard input is a pipe that the guest would own.
struct Calling {
  Fd writer;  // what the caller's input comes from
  Pipe answers;
};

Result<Calling> become_caller() {
  hold_signals();
  auto in = TRY(make_pipe("test"));
  const auto null = TRY(open_file(AT_FDCWD, "/dev/null", O_WRONLY));
  if (::dup2(in.read.get(), 0) < 0 || ::dup2(null.get(), 1) < 0) return fail(errno, "dup2");
  auto answers = TRY(make_pipe("test"));
  return Calling{std::move(in.write), std::move(answers)};
}

// Runs `guest` with its input and what it answers through; `outside` is what happens meanwhile.
Result<void> run_guest(const Calling& calling, const std::function<int(int, int)>& guest,
                       const std::function<Result<void>()>& outside = {}) {
  auto streams = TRY(GuestStreams::prepare({}));
  auto child = TRY(fork_child(0, [&] {
    // As execve would do it: none of the other ends.
    const int in = ::dup2(streams.descriptor(0), 100);
    const int out = ::dup2(calling.answers.write.get(), 101);
    ::syscall(SYS_close_range, 3, 99, 0);
    return guest(in, out);
  }));
  TRY_VOID(streams.start());
  if (outside) TRY_VOID(outside());
  pollfd end{child.pidfd(), POLLIN, 0};
  TRY_VOID(verify(::poll(&end, 1, kMostMilliseconds) == 1, "the guest ends"));
  TRY_VOID(verify(TRY(child.wait()).success(), "the guest"));
  return verify(TRY(streams.finish(true)) == 0, "the status");
}

// What is left in the caller's pipe.
std::string rest() {
  int size = 0;
  ::ioctl(0, FIONREAD, &size);
  std::string text(static_cast<std::size_t>(size), '\0');
  return ::read(0, text.data(), text.size()) == size ? text : "unreadable";
}

Result<void> put(const Fd& writer, std::string_view text) { return write_all(writer.get(), text, "test"); }

bool read_exactly(int fd, std::size_t size) {
  std::string buffer(size, '\0');
  for (std::size_t done = 0; done < size;) {
    pollfd data{fd, POLLIN, 0};
    if (::poll(&data, 1, kMostMilliseconds) != 1) return false;
    const ssize_t got = ::read(fd, buffer.data(), size - done);
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

// A guest that answers each byte with one.
int answer(int in, int out) {
  char byte = 0;
  while (::read(in, &byte, 1) == 1) {
    if (::write(out, &byte, 1) != 1) return 1;
  }
  return 0;
}

Result<void> ask(const Calling& calling, std::size_t size) {
  TRY_VOID(put(calling.writer, std::string(size, 'x')));
  return verify(read_exactly(calling.answers.read.get(), size), "all is answered");
}

TEST(ShownPipeTest, TheGuestGetsAnotherPipeThatIsOpenToReadForAllItsUsers) {
  test::in_child([]() -> Result<void> {
    const auto calling = TRY(become_caller());
    const auto before = TRY(status_of(0, "", AT_EMPTY_PATH));
    const auto streams = TRY(GuestStreams::prepare({}));
    const auto guests = TRY(status_of(streams.descriptor(0), "", AT_EMPTY_PATH));
    TRY_VOID(verify(guests.st_ino != before.st_ino, "another pipe"));
    TRY_VOID(verify((guests.st_mode & 07777) == 0604, "its mode"));
    return verify(TRY(status_of(0, "", AT_EMPTY_PATH)).st_mode == before.st_mode, "the caller's is as before");
  });
}

TEST(ShownPipeTest, WhatTheGuestHasNotReadIsLeft) {
  test::in_child([]() -> Result<void> {
    const auto calling = TRY(become_caller());
    TRY_VOID(put(calling.writer, "abcdef"));
    const auto read_one = [](int in, int) { return read_exactly(in, 1) ? 0 : 1; };
    TRY_VOID(run_guest(calling, read_one));
    TRY_VOID(run_guest(calling, [](int, int) { return 0; }));
    TRY_VOID(run_guest(calling, read_one));
    const auto left = rest();
    return verify(left == "cdef", left);
  });
}

TEST(ShownPipeTest, NothingIsTakenForAGuestThatOnlyLooks) {
  test::in_child([]() -> Result<void> {
    const auto calling = TRY(become_caller());
    TRY_VOID(put(calling.writer, "abcdef"));
    TRY_VOID(run_guest(calling, [](int in, int) {
      pollfd data{in, POLLIN, 0};
      return ::poll(&data, 1, kMostMilliseconds) == 1 ? 0 : 1;
    }));
    const auto left = rest();
    return verify(left == "abcdef", left);
  });
}

TEST(ShownPipeTest, SmallPortionsComeThroughWhateverThePauses) {
  test::in_child([]() -> Result<void> {
    auto calling = TRY(become_caller());
    return run_guest(calling, answer, [&]() -> Result<void> {
      for (unsigned i = 0; i < 200; ++i) {
        TRY_VOID(ask(calling, 1 + i % 7));
        ::usleep((i * 7919U) % 5'000);
      }
      calling.writer.reset();
      return {};
    });
  });
}

TEST(ShownPipeTest, AReadAfterALongPauseIsNoticedAtOnce) {
  test::in_child([]() -> Result<void> {
    auto calling = TRY(become_caller());
    constexpr auto kPause = std::chrono::milliseconds(250);
    std::vector<Clock::duration> delays;
    const auto slowly = [&](int in, int out) {
      char byte = 0;
      ::usleep(std::chrono::microseconds(kPause).count());
      while (::read(in, &byte, 1) == 1) {
        if (::write(out, &byte, 1) != 1) return 1;
        if (::read(in, &byte, 1) != 1) break;
        if (::write(out, &byte, 1) != 1) return 1;
        ::usleep(std::chrono::microseconds(kPause).count());
      }
      return 0;
    };
    TRY_VOID(run_guest(calling, slowly, [&]() -> Result<void> {
      TRY_VOID(put(calling.writer, "x"));
      for (int i = 0; i < 9; ++i) {
        // The next two are behind what the guest has been shown: they come once the copier has seen it read.
        TRY_VOID(put(calling.writer, "xx"));
        TRY_VOID(verify(read_exactly(calling.answers.read.get(), 1), "an answer"));
        const auto begin = Clock::now();
        TRY_VOID(verify(read_exactly(calling.answers.read.get(), 1), "an answer"));
        delays.push_back(Clock::now() - begin);
      }
      calling.writer.reset();
      return {};
    }));
    std::sort(delays.begin(), delays.end());
    const auto median = std::chrono::duration_cast<std::chrono::milliseconds>(delays[delays.size() / 2]).count();
    return verify(median < 40, "median " + std::to_string(median) + " ms");
  });
}

TEST(ShownPipeTest, AGuestMayUseSplice) {
  test::in_child([]() -> Result<void> {
    auto calling = TRY(become_caller());
    const auto move = [](int in, int out) {
      while (::splice(in, nullptr, out, nullptr, 3, 0) > 0) {
      }
      return 0;
    };
    return run_guest(calling, move, [&]() -> Result<void> {
      for (unsigned i = 0; i < 50; ++i) TRY_VOID(ask(calling, 1 + i));
      calling.writer.reset();
      return {};
    });
  });
}

TEST(ShownPipeTest, AProcessThatReadsOnAfterTheEndReadsNothingTwice) {
  test::in_child([]() -> Result<void> {
    constexpr int kSize = 20'000;
    void* const memory =
        ::mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    auto* const count = new (memory) std::atomic<int>(0);
    for (int i = 0; i < 20; ++i) {
      const auto calling = TRY(become_caller());
      *count = 0;
      TRY_VOID(put(calling.writer, std::string(kSize, 'x')));
      TRY_VOID(run_guest(calling, [&](int in, int out) {
        if (::fork() != 0) return read_exactly(in, 100) ? 0 : 1;
        char byte = 0;
        while (::read(in, &byte, 1) == 1) ++*count;
        return ::write(out, "x", 1) == 1 ? 0 : 1;
      }));
      TRY_VOID(verify(read_exactly(calling.answers.read.get(), 1), "it sees the end"));
      const int all = *count + 100 + static_cast<int>(rest().size());
      TRY_VOID(verify(all == kSize, std::to_string(all)));
    }
    return {};
  });
}

TEST(ShownPipeTest, WhatTheGuestWritesToItsInputReachesNobodyElse) {
  test::in_child([]() -> Result<void> {
    const auto calling = TRY(become_caller());
    TRY_VOID(put(calling.writer, "abcdef"));
    TRY_VOID(run_guest(calling, [](int in, int) {
      if (!read_exactly(in, 2)) return 1;
      const Fd other(::open("/proc/self/fd/100", O_WRONLY | O_NONBLOCK));
      const std::string evil(4096, 'e');
      ssize_t written = 0;
      while ((written = ::write(other.get(), evil.data(), evil.size())) > 0) {
      }
      ::usleep(200'000);  // the copier has a full pipe before it
      return 0;
    }));
    const auto left = rest();
    return verify(std::string("abcdef").ends_with(left) && left.size() >= 4, left);
  });
}

TEST(ShownPipeTest, AUserWhoseIdsTheGuestLacksLendsIt) {
  test::in_child([]() -> Result<void> {
    const auto calling = TRY(become_caller());
    StreamOptions options;
    options.guest_uids = {{0, ::geteuid() + 1, 100}};
    const auto streams = TRY(GuestStreams::prepare(options));
    const auto guests = TRY(status_of(streams.descriptor(0), "", AT_EMPTY_PATH));
    return verify(guests.st_ino == TRY(status_of(0, "", AT_EMPTY_PATH)).st_ino, "the caller's");
  });
}

}  // namespace
}  // namespace isolate
