#include "isolatectl/interruption.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

using test::verify;

// Each test runs in its own child, because the flag that a signal sets is never cleared.
TEST(InterruptionTest, ASignalDoesNotEndTheProcess) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    test::in_child([number]() -> Result<void> {
      Interruption::catch_signals();
      TRY_VOID(verify(Interruption::check().has_value(), "not interrupted yet"));
      ::raise(number);
      return verify(test::message_of(Interruption::check()) == "interrupted; nothing was left behind", "interrupted");
    });
  }
}

// If the code only checked the flag before read(2), a signal between the two would be lost and the read would never
// end.
TEST(InterruptionTest, ASignalJustBeforeAWaitForInputEndsTheWait) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    test::in_child([number]() -> Result<void> {
      const auto silent = TRY(make_pipe("test"));
      Interruption::catch_signals();
      ::raise(number);
      return verify(!Interruption::wait_until_readable(silent.read.get()), "interrupted");
    });
  }
}

TEST(InterruptionTest, ASignalThatWasBlockedEndsAWaitForInput) {
  test::in_child([]() -> Result<void> {
    const auto silent = TRY(make_pipe("test"));
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    ::raise(SIGTERM);
    Interruption::catch_signals();
    return verify(!Interruption::wait_until_readable(silent.read.get()), "interrupted");
  });
}

TEST(InterruptionTest, AWaitForInputEndsWhenInputComesAndAtTheEndOfInput) {
  test::in_child([]() -> Result<void> {
    auto pipe = TRY(make_pipe("test"));
    Interruption::catch_signals();
    TRY_VOID(write_all(pipe.write.get(), "x", "pipe"));
    TRY_VOID(Interruption::wait_until_readable(pipe.read.get()));
    char byte = 0;
    TRY_VOID(verify(::read(pipe.read.get(), &byte, 1) == 1, "there is a byte"));
    pipe.write.reset();
    return Interruption::wait_until_readable(pipe.read.get());
  });
}

TEST(InterruptionTest, ASignalEndsTheChildThatIsWaitedFor) {
  test::in_child([]() -> Result<void> {
    Interruption::catch_signals();
    auto child = TRY(spawn({"/bin/sleep", "60"}));
    ::raise(SIGINT);
    const auto status = TRY(wait_interruptibly(&child, -1, [] { return false; }));
    return verify(status.describe() == "signal 15", "SIGTERM, not " + status.describe());
  });
}

TEST(InterruptionTest, WithoutASignalTheChildRunsToItsEnd) {
  test::in_child([]() -> Result<void> {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno, "pipe2");
    const Fd reader(ends[0]);
    Fd writer(ends[1]);
    auto child = TRY(spawn({"/bin/sh", "-c", "echo a; sleep 0.3; echo b; exit 3"}, {-1, writer.get(), -1}));
    writer.reset();
    std::string output;
    const auto status = TRY(wait_interruptibly(&child, reader.get(), [&] {
      char buffer[100];
      const ssize_t got = ::read(reader.get(), buffer, sizeof buffer);
      if (got > 0) output.append(buffer, static_cast<std::size_t>(got));
      return got > 0;
    }));
    TRY_VOID(verify(output == "a\nb\n", "all of its output"));
    return verify(status.value == 3, "its exit status");
  });
}

TEST(InterruptionTest, AChildThatIgnoresTheSignalIsKilledAfterFiveSeconds) {
  test::in_child([]() -> Result<void> {
    Interruption::catch_signals();
    auto child = TRY(fork_child(0, [] {
      while (true) ::pause();  // the child has inherited this process's handler, so SIGTERM does not end it
      return 0;
    }));
    ::raise(SIGTERM);
    const auto start = ::time(nullptr);
    const auto status = TRY(wait_interruptibly(&child, -1, [] { return false; }));
    TRY_VOID(verify(::time(nullptr) - start >= 4, "it had time"));
    return verify(status.describe() == "signal 9", "SIGKILL, not " + status.describe());
  });
}

}  // namespace
}  // namespace isolate
