#include "supervise/signal_decision.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <string.h>

#include <string>
#include <vector>

namespace isolate {
namespace {

constexpr auto kProcess = SignalOrigin::process;
constexpr auto kKernel = SignalOrigin::kernel;

constexpr auto kIgnore = SignalAction::ignore;
constexpr auto kTerminal = SignalAction::leave_to_terminal;
constexpr auto kCommand = SignalAction::send_to_command;
constexpr auto kGroup = SignalAction::send_to_group;
constexpr auto kKeep = SignalAction::keep_for_command;
constexpr auto kStop = SignalAction::stop_isolate;
constexpr auto kEnd = SignalAction::end_run;

// How the guest stands to the caller's terminal.
enum GuestKind { kShares, kSession, kRelay };

SignalSituation situation_of(int number, SignalOrigin origin, GuestKind guest, CommandPhase command) {
  SignalSituation situation;
  situation.number = number;
  situation.origin = origin;
  situation.command = command;
  situation.has_own_session = guest == kSession;
  situation.has_relay = guest == kRelay;
  return situation;
}

struct Row {
  int number;
  SignalOrigin origin;
  GuestKind guest;
  SignalAction absent;  // before the command's process is there
  SignalAction starting;
  SignalAction running;
};

// Each signal that a run holds back (kHeldSignals), from each origin, for each kind of guest.
const std::vector<Row> kRows = {
    {SIGINT, kProcess, kShares, kEnd, kCommand, kCommand},
    {SIGINT, kProcess, kSession, kEnd, kCommand, kCommand},
    {SIGINT, kProcess, kRelay, kEnd, kCommand, kCommand},
    {SIGINT, kKernel, kShares, kEnd, kTerminal, kTerminal},
    {SIGINT, kKernel, kSession, kEnd, kGroup, kGroup},
    {SIGINT, kKernel, kRelay, kEnd, kGroup, kGroup},

    {SIGTERM, kProcess, kShares, kEnd, kCommand, kCommand},
    {SIGTERM, kProcess, kSession, kEnd, kCommand, kCommand},
    {SIGTERM, kProcess, kRelay, kEnd, kCommand, kCommand},
    {SIGTERM, kKernel, kShares, kEnd, kCommand, kCommand},
    {SIGTERM, kKernel, kSession, kEnd, kCommand, kCommand},
    {SIGTERM, kKernel, kRelay, kEnd, kCommand, kCommand},

    {SIGHUP, kProcess, kShares, kEnd, kCommand, kCommand},
    {SIGHUP, kProcess, kSession, kEnd, kCommand, kCommand},
    {SIGHUP, kProcess, kRelay, kEnd, kCommand, kCommand},
    {SIGHUP, kKernel, kShares, kEnd, kTerminal, kTerminal},
    {SIGHUP, kKernel, kSession, kEnd, kGroup, kGroup},
    {SIGHUP, kKernel, kRelay, kEnd, kGroup, kGroup},

    {SIGQUIT, kProcess, kShares, kEnd, kCommand, kCommand},
    {SIGQUIT, kProcess, kSession, kEnd, kCommand, kCommand},
    {SIGQUIT, kProcess, kRelay, kEnd, kCommand, kCommand},
    {SIGQUIT, kKernel, kShares, kEnd, kTerminal, kTerminal},
    {SIGQUIT, kKernel, kSession, kEnd, kGroup, kGroup},
    {SIGQUIT, kKernel, kRelay, kEnd, kGroup, kGroup},

    {SIGUSR1, kProcess, kShares, kEnd, kCommand, kCommand},
    {SIGUSR1, kProcess, kSession, kEnd, kCommand, kCommand},
    {SIGUSR1, kProcess, kRelay, kEnd, kCommand, kCommand},
    {SIGUSR1, kKernel, kShares, kEnd, kCommand, kCommand},
    {SIGUSR1, kKernel, kSession, kEnd, kCommand, kCommand},
    {SIGUSR1, kKernel, kRelay, kEnd, kCommand, kCommand},

    {SIGUSR2, kProcess, kShares, kEnd, kCommand, kCommand},
    {SIGUSR2, kProcess, kSession, kEnd, kCommand, kCommand},
    {SIGUSR2, kProcess, kRelay, kEnd, kCommand, kCommand},
    {SIGUSR2, kKernel, kShares, kEnd, kCommand, kCommand},
    {SIGUSR2, kKernel, kSession, kEnd, kCommand, kCommand},
    {SIGUSR2, kKernel, kRelay, kEnd, kCommand, kCommand},

    {SIGCONT, kProcess, kShares, kIgnore, kCommand, kCommand},
    {SIGCONT, kProcess, kSession, kIgnore, kCommand, kCommand},
    {SIGCONT, kProcess, kRelay, kIgnore, kCommand, kCommand},
    {SIGCONT, kKernel, kShares, kIgnore, kCommand, kCommand},
    {SIGCONT, kKernel, kSession, kIgnore, kCommand, kCommand},
    {SIGCONT, kKernel, kRelay, kIgnore, kCommand, kCommand},

    {SIGTSTP, kProcess, kShares, kStop, kCommand, kCommand},
    {SIGTSTP, kProcess, kSession, kStop, kCommand, kCommand},
    {SIGTSTP, kProcess, kRelay, kStop, kCommand, kCommand},
    {SIGTSTP, kKernel, kShares, kStop, kTerminal, kTerminal},
    {SIGTSTP, kKernel, kSession, kStop, kGroup, kGroup},
    {SIGTSTP, kKernel, kRelay, kStop, kGroup, kGroup},

    {SIGWINCH, kProcess, kShares, kIgnore, kCommand, kCommand},
    {SIGWINCH, kProcess, kSession, kIgnore, kCommand, kCommand},
    {SIGWINCH, kProcess, kRelay, kIgnore, kTerminal, kTerminal},
    {SIGWINCH, kKernel, kShares, kIgnore, kTerminal, kTerminal},
    {SIGWINCH, kKernel, kSession, kIgnore, kGroup, kGroup},
    {SIGWINCH, kKernel, kRelay, kIgnore, kTerminal, kTerminal},
};

std::string describe(const SignalSituation& situation) {
  return std::string(::sigabbrev_np(situation.number)) +
         (situation.origin == kKernel ? " from the terminal" : " from a process") +
         (situation.has_relay         ? ", relay"
          : situation.has_own_session ? ", own session"
                                      : ", shared session") +
         ", phase " + std::to_string(static_cast<int>(situation.command));
}

void expect_action(const SignalSituation& situation, SignalAction expected) {
  EXPECT_EQ(decide(situation).action, expected) << describe(situation);
}

TEST(SignalDecisionTest, EachSignalFromEachOriginHasItsActionForEachGuest) {
  for (const auto& row : kRows) {
    const auto in = [&row](CommandPhase phase) { return situation_of(row.number, row.origin, row.guest, phase); };
    expect_action(in(CommandPhase::absent), row.absent);
    expect_action(in(CommandPhase::starting), row.starting);
    expect_action(in(CommandPhase::running), row.running);
  }
}

// Nobody waits for a command whose execve(2) does not return.
TEST(SignalDecisionTest, ARepeatedSignalIsTreatedAsIfThereWereNoCommand) {
  for (const auto& row : kRows) {
    auto situation = situation_of(row.number, row.origin, row.guest, CommandPhase::starting);
    situation.is_repeated = true;
    expect_action(situation, row.absent);
    situation.command = CommandPhase::running;
    expect_action(situation, row.running);
  }
}

TEST(SignalDecisionTest, ASignalThatTheCallerBlocksWaitsForTheCommand) {
  for (const auto& row : kRows) {
    auto situation = situation_of(row.number, row.origin, row.guest, CommandPhase::absent);
    situation.is_blocked_by_caller = true;
    // Isolate itself needs SIGWINCH and SIGCONT; neither ends a run.
    expect_action(situation, row.absent == kIgnore ? kIgnore : kKeep);
    situation.command = CommandPhase::running;
    expect_action(situation, row.running);
  }
}

TEST(SignalDecisionTest, AnIgnoredInterruptReachesOnlyTheGroupOutsideTheForeground) {
  for (const auto& row : kRows) {
    const auto expect = [&row](CommandPhase phase, SignalAction usual) {
      auto situation = situation_of(row.number, row.origin, row.guest, phase);
      situation.ignores_interrupt = true;
      const bool is_dropped = row.number == SIGINT && usual != kGroup;
      expect_action(situation, is_dropped ? kIgnore : usual);
    };
    expect(CommandPhase::absent, row.absent);
    expect(CommandPhase::starting, row.starting);
    expect(CommandPhase::running, row.running);
  }
}

TEST(SignalDecisionTest, TheLeaderOfTheSessionPassesAHangUpOn) {
  for (const auto& row : kRows) {
    auto situation = situation_of(row.number, row.origin, row.guest, CommandPhase::running);
    situation.leads_session = true;
    expect_action(situation, row.number == SIGHUP ? kCommand : row.running);
  }
}

TEST(SignalDecisionTest, IsolatesOwnWakeUpIsIgnored) {
  for (const auto guest : {kShares, kSession, kRelay}) {
    for (const auto phase : {CommandPhase::absent, CommandPhase::starting, CommandPhase::running}) {
      const auto decision = decide(situation_of(SIGCONT, SignalOrigin::wake_up, guest, phase));
      EXPECT_EQ(decision.action, kIgnore);
      EXPECT_FALSE(decision.adapts_relay);
    }
  }
  // Only SIGCONT wakes isolate.
  expect_action(situation_of(SIGTERM, SignalOrigin::wake_up, kShares, CommandPhase::running), kCommand);
}

TEST(SignalDecisionTest, OnlyARelayFollowsSizeAndContinuation) {
  for (const auto& row : kRows) {
    for (const auto phase : {CommandPhase::absent, CommandPhase::starting, CommandPhase::running}) {
      const bool is_one = row.number == SIGWINCH || row.number == SIGCONT;
      const auto situation = situation_of(row.number, row.origin, row.guest, phase);
      EXPECT_EQ(decide(situation).adapts_relay, row.guest == kRelay && is_one) << describe(situation);
    }
  }
}

TEST(SignalDecisionTest, TheCodeOfASignalTellsItsOrigin) {
  for (const int code : {SI_USER, SI_QUEUE, SI_TKILL}) EXPECT_EQ(origin_of(code), kProcess);
  EXPECT_EQ(origin_of(SI_KERNEL), kKernel);
  for (const int code : {int{SI_TIMER}, int{POLL_IN}, int{POLL_HUP}}) EXPECT_EQ(origin_of(code), SignalOrigin::wake_up);
}

}  // namespace
}  // namespace isolate
