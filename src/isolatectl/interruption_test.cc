#include "isolatectl/interruption.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

using test::verify;

// Each test is a child of its own: an interruption is asked for once in the life of a process.
TEST(InterruptionTest, IsNoEndOfTheProcess) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    test::in_child([number]() -> Result<void> {
      Interruption::catch_signals();
      TRY_VOID(verify(Interruption::check().has_value(), "not interrupted yet"));
      ::raise(number);
      return verify(test::message_of(Interruption::check()) == "interrupted; nothing was left behind", "interrupted");
    });
  }
}

TEST(InterruptionTest, EndsWhatIsWaitedFor) {
  test::in_child([]() -> Result<void> {
    Interruption::catch_signals();
    auto child = TRY(spawn({"/bin/sleep", "60"}));
    ::raise(SIGINT);
    const auto status = TRY(wait_interruptibly(&child, -1, [] { return false; }));
    return verify(status.describe() == "signal 15", "SIGTERM, not " + status.describe());
  });
}

TEST(InterruptionTest, WithoutOneTheEndOfTheChildIsWaitedFor) {
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

TEST(InterruptionTest, WhoeverIgnoresItIsKilledAfterFiveSeconds) {
  test::in_child([]() -> Result<void> {
    Interruption::catch_signals();
    auto child = TRY(fork_child(0, [] {
      while (true) ::pause();  // it has this process's handler
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
