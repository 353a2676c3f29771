// Supervisor::wait_for_further: the client's side of a further command. The client does not trust the guest.
#include <signal.h>

#include "linux/held_signals.h"
#include "linux/socket.h"
#include "supervise/supervisor_testing.h"

namespace isolate {
namespace {

using test_guest::Guest;
using test_guest::Kind;
using test_guest::Message;

using Isolate = std::function<void(Fd connection)>;

// Runs `guest` in another process and `isolate` at the other end of the connection, and returns the client's outcome.
Result<RunOutcome> outcome_of(const test_guest::Body& guest, const Isolate& isolate) {
  hold_signals();
  auto supervisor = TRY(Supervisor::make({}, std::nullopt));
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return fail(errno, "socketpair");
  Fd connection(ends[0]);
  Fd other_end(ends[1]);
  const auto process = TRY(fork_child(0, [&] {
    connection.reset();
    other_end.reset();
    return guest({supervisor.guest_control().get(), -1});
  }));
  isolate(std::move(other_end));
  return supervisor.wait_for_further(std::move(connection));
}

// Works in a child, since a supervisor changes the signals of its process. `expected`: the exit status, or the error.
void expect_outcome(const test_guest::Body& guest, const Isolate& isolate, const std::string& expected,
                    test::Where where = test::Where::here()) {
  test::in_child(
      [&] {
        const auto outcome = outcome_of(guest, isolate);
        const auto text = outcome ? std::to_string(outcome->exit_status()) : outcome.error().message();
        return test::verify(text == expected, expected + ", not: " + text);
      },
      where);
}

void close(Fd) {}

int end_well(const Guest& guest) {
  guest.start();
  guest.say(Kind::ended, 3 << 8);
  return 0;
}

TEST(FurtherCommandTest, TheClientLearnsTheEnd) { expect_outcome(end_well, close, "3"); }

TEST(FurtherCommandTest, TheClientDoesNotWaitForProcessesThatKeepTheSocket) {
  const auto stay = [](const Guest& guest) {
    end_well(guest);
    return ::pause();
  };
  expect_outcome(stay, close, "3");
}

TEST(FurtherCommandTest, TheReasonForARefusalIsTheError) {
  const auto refuse = [](Fd connection) {
    test::expect_success(send_message(connection.get(), Error("no room").packed()));
  };
  expect_outcome([](const Guest&) { return 0; }, refuse, "no room");
}

TEST(FurtherCommandTest, TheCommandEndsWithItsGuest) {
  expect_outcome([](const Guest&) { return 0; }, close,
                 "the guest has ended, or does not report what became of the command");
  const auto start = [](const Guest& guest) {
    guest.start();
    return 0;
  };
  expect_outcome(start, close, "137");
}

TEST(FurtherCommandTest, ASignalEndsTheClientOfAGuestThatNeverAnswers) {
  const auto interrupt = [](const Guest&) {
    ::usleep(100'000);
    ::kill(::getppid(), SIGINT);
    return ::pause();
  };
  expect_outcome(interrupt, close, "130");
}

TEST(FurtherCommandTest, ASignalEndsTheClientOfAGuestThatSendsMessagesForEver) {
  const auto flood = [](const Guest& guest) {
    for (int i = 0;; ++i) {
      // These kinds are no start and no end.
      const Message message{static_cast<Kind>(20 + i % 300), i};
      const auto size = 1 + static_cast<std::size_t>(i) % sizeof message;
      if (::send(guest.control, &message, size, MSG_NOSIGNAL) < 0) return 0;
      if (i == 50'000) ::kill(::getppid(), SIGINT);
    }
  };
  expect_outcome(flood, close, "130");
}

}  // namespace
}  // namespace isolate
