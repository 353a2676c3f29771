#include "run/supervisor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/init_protocol.h"

namespace isolate {
namespace {

using protocol::Kind;
using protocol::Message;
using test::verify;

// The guest's side: launcher, engine and isolate-init in one.
struct Guest {
  int control;
  int report;

  void say(Kind kind, int value = 0) const { say_bytes(Message{kind, value}); }
  template <typename Bytes>
  void say_bytes(const Bytes& bytes) const {
    if (::send(control, &bytes, sizeof bytes, 0) < 0) ::_exit(99);
  }
  void start() const {
    say(Kind::pid);
    say(Kind::started);
  }
  // The signal that the supervisor passes on.
  int next_signal() const {
    Message message{};
    if (::recv(control, &message, sizeof message, 0) != ssize_t{sizeof message}) return -1;
    return message.kind == Kind::signal ? message.value : -1;
  }
};

struct Seen {
  RunOutcome outcome;
  std::vector<pid_t> started;
  pid_t launcher = -1;
};

using Body = std::function<int(const Guest&)>;
using OnStart = std::function<void()>;

// Each test is a child of its own: a supervisor changes the signals of its process.
Result<Seen> supervise(
    const Body& guest, const OnStart& on_start = [] {}, const SupervisorOptions& options = {}) {
  Supervisor::hold_signals();
  auto supervisor = TRY(Supervisor::make(options));
  const Guest ends{supervisor.guest_control().get(), supervisor.report_writer().get()};
  auto launcher = TRY(fork_child(0, [&] { return guest(ends); }));
  Seen seen;
  seen.launcher = launcher.pid();
  seen.outcome = TRY(supervisor.wait(std::move(launcher), [&](pid_t pid) {
    seen.started.push_back(pid);
    on_start();
  }));
  return seen;
}

Result<void> expect_end(const Seen& seen, const std::string& description) {
  const auto end = seen.outcome.ended ? seen.outcome.ended->describe() : "no end";
  return verify(end == description, description + ", not: " + end);
}

// The guest stops, and another process tells of it, as isolate-init does of its command.
void stop(const Guest& guest) {
  if (::fork() == 0) {
    ::usleep(100'000);
    guest.say(Kind::stopped, SIGTSTP);
    ::_exit(0);
  }
  ::raise(SIGSTOP);
}

TEST(SupervisorTest, TellsTheCommandsStartAndExactEnd) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise([](const Guest& guest) {
      guest.start();
      guest.say(Kind::ended, W_EXITCODE(3, 0));
      return 3;
    }));
    TRY_VOID(verify(seen.started == std::vector<pid_t>{seen.launcher}, "the pid that the kernel vouches for"));
    return expect_end(seen, "exit status 3");
  });
}

TEST(SupervisorTest, TellsSignalsFromExitCodes) {
  test::in_child([]() -> Result<void> {
    return expect_end(TRY(supervise([](const Guest& guest) {
                        guest.start();
                        guest.say(Kind::ended, W_EXITCODE(0, SIGSEGV));
                        return 139;
                      })),
                      "signal 11");
  });
}

TEST(SupervisorTest, ACommandThatCannotBeStartedHasAnErrno) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise([](const Guest& guest) {
      guest.say(Kind::pid);
      guest.say(Kind::failed, ENOENT);
      return 127;
    }));
    return verify(seen.outcome.exec_error == ENOENT && !seen.outcome.ended && seen.started.empty(), "ENOENT");
  });
}

TEST(SupervisorTest, AWorkingDirectoryThatCannotBeEnteredHasAnErrno) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise([](const Guest& guest) {
      guest.say(Kind::no_directory, ENOTDIR);
      return 125;
    }));
    return verify(seen.outcome.directory_error == ENOTDIR && seen.outcome.exec_error == 0, "ENOTDIR");
  });
}

TEST(SupervisorTest, TheLaunchersReportIsTheError) {
  test::in_child([]() -> Result<void> {
    const auto seen = supervise([](const Guest& guest) {
      const auto report = Error(ENOSPC, "mount overlay on root").packed();
      return write_all(guest.report, report, "report") ? 125 : 1;
    });
    return verify(test::message_of(seen) == "mount overlay on root: No space left on device", test::message_of(seen));
  });
}

TEST(SupervisorTest, AnEngineThatEndsBeforeTheCommandStartsIsAnError) {
  test::in_child([]() -> Result<void> {
    const auto seen = supervise([](const Guest&) { return 1; });
    return verify(test::message_of(seen) == "the engine ended with exit status 1 before the command started",
                  test::message_of(seen));
  });
}

TEST(SupervisorTest, AGuestThatIsKilledEndsWithSigkill) {
  test::in_child([]() -> Result<void> {
    return expect_end(TRY(supervise([](const Guest& guest) {
                        guest.start();
                        return 1;
                      })),
                      "signal 9");
  });
}

TEST(SupervisorTest, SignalsArePassedOnToTheCommand) {
  test::in_child([]() -> Result<void> {
    for (const int number : {SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGINT, SIGCONT, SIGTSTP, SIGWINCH}) {
      const auto seen = TRY(supervise(
          [](const Guest& guest) {
            guest.start();
            guest.say(Kind::ended, W_EXITCODE(0, guest.next_signal()));
            return 0;
          },
          [number] { ::kill(::getpid(), number); }));
      TRY_VOID(expect_end(seen, "signal " + std::to_string(number)));
    }
    return {};
  });
}

TEST(SupervisorTest, WhenTheTimeIsOverTheCommandIsAskedToEnd) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise(
        [](const Guest& guest) {
          guest.start();
          const int first = guest.next_signal();
          if (guest.next_signal() == SIGCONT) guest.say(Kind::ended, W_EXITCODE(0, first));
          return 0;
        },
        [] {}, {false, false, std::chrono::milliseconds(50)}));
    TRY_VOID(verify(seen.outcome.timed_out, "the time was over"));
    return expect_end(seen, "signal 15");
  });
}

TEST(SupervisorTest, WhatDoesNotStartInTimeIsKilled) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise(
        [](const Guest&) {
          ::pause();
          return 0;
        },
        [] {}, {false, false, std::chrono::milliseconds(50)}));
    return verify(seen.outcome.timed_out && !seen.outcome.ended && seen.started.empty(), "killed");
  });
}

TEST(SupervisorTest, StopsWithItsCommandAndPassesTheContinuationOn) {
  test::in_child([]() -> Result<void> {
    auto supervised = TRY(fork_child(0, [] {
      const auto seen = supervise([](const Guest& guest) {
        guest.start();
        stop(guest);
        guest.say(Kind::ended, W_EXITCODE(guest.next_signal(), 0));
        return 0;
      });
      return seen && seen->outcome.ended ? seen->outcome.ended->value : 99;
    }));
    int status = 0;
    if (::waitpid(supervised.pid(), &status, WUNTRACED) != supervised.pid()) return fail(errno, "waitpid");
    TRY_VOID(verify(WIFSTOPPED(status), "stopped"));
    supervised.signal(SIGCONT);
    ::killpg(::getpgrp(), SIGCONT);  // the guest, too
    return verify(TRY(supervised.wait()).value == SIGCONT, "SIGCONT reached the command");
  });
}

TEST(SupervisorTest, ACommandThatStopsDoesNotGetAroundItsTime) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise(
        [](const Guest& guest) {
          guest.start();
          stop(guest);
          return 0;
        },
        [] {}, {false, false, std::chrono::milliseconds(100)}));
    return verify(seen.outcome.timed_out, "the time was over");
  });
}

TEST(SupervisorTest, AStopThatIsOverDoesNotStop) {
  test::in_child([]() -> Result<void> {
    return expect_end(TRY(supervise([](const Guest& guest) {
                        guest.start();
                        guest.say(Kind::stopped, SIGTSTP);
                        guest.say(Kind::ended, 0);
                        return 0;
                      })),
                      "exit status 0");
  });
}

TEST(SupervisorTest, WhenTheCommandIsContinuedByOthersItGoesOn) {
  test::in_child([]() -> Result<void> {
    return expect_end(TRY(supervise([](const Guest& guest) {
                        guest.start();
                        if (::fork() == 0) {
                          ::usleep(100'000);
                          guest.say(Kind::stopped, SIGTSTP);
                          ::usleep(100'000);
                          ::kill(::getppid(), SIGCONT);
                          guest.say(Kind::continued);
                          ::_exit(0);
                        }
                        ::raise(SIGSTOP);
                        guest.say(Kind::ended, 0);
                        return 0;
                      })),
                      "exit status 0");
  });
}

TEST(SupervisorTest, ASetupThatFailsHasAnErrno) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise([](const Guest& guest) {
      guest.say(Kind::no_setup, EINVAL);
      return 125;
    }));
    return verify(seen.outcome.setup_error == EINVAL, "EINVAL");
  });
}

TEST(SupervisorTest, SigintIsIgnoredWhenAskedFor) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise(
        [](const Guest& guest) {
          guest.start();
          guest.say(Kind::ended, W_EXITCODE(0, guest.next_signal()));
          return 0;
        },
        [] {
          ::kill(::getpid(), SIGINT);
          ::kill(::getpid(), SIGTERM);
        },
        {true, false, {}}));
    return expect_end(seen, "signal 15");
  });
}

// Sends this process a signal as the terminal does: from the kernel.
void signal_of_terminal(int number) {
  siginfo_t info{};
  info.si_signo = number;
  info.si_code = SI_KERNEL;
  ::syscall(SYS_rt_sigqueueinfo, ::getpid(), number, &info);
}

// The first signal passed on when the terminal sends this one, and somebody SIGUSR2.
Result<void> expect_passed_on(int of_terminal, const std::string& description) {
  const auto seen = TRY(supervise(
      [](const Guest& guest) {
        guest.start();
        guest.say(Kind::ended, W_EXITCODE(0, guest.next_signal()));
        return 0;
      },
      [of_terminal] {
        signal_of_terminal(of_terminal);
        ::kill(::getpid(), SIGUSR2);
      }));
  return expect_end(seen, description);
}

// It goes to the command as well, which must not get it twice.
TEST(SupervisorTest, SignalsOfTheTerminalAreNotPassedOn) {
  test::in_child([]() -> Result<void> {
    for (const int number : {SIGINT, SIGQUIT, SIGHUP}) TRY_VOID(expect_passed_on(number, "signal 12"));
    return {};
  });
}

TEST(SupervisorTest, AHangUpIsPassedOnByTheLeaderOfTheSession) {
  test::in_child([]() -> Result<void> {
    if (::setsid() < 0) return fail(errno, "setsid");
    const auto seen = TRY(supervise(
        [](const Guest& guest) {
          guest.start();
          guest.say(Kind::ended, W_EXITCODE(0, guest.next_signal()));
          return 0;
        },
        [] { signal_of_terminal(SIGHUP); }));
    return expect_end(seen, "signal 1");
  });
}

// Stops a process, as a busy machine does, for a tenth of a second.
void hold_up(const Guest& guest, pid_t process) {
  ::kill(process, SIGSTOP);
  if (::fork() != 0) return;
  ::close(guest.control);
  ::close(guest.report);
  ::usleep(100000);
  ::kill(process, SIGCONT);
  ::_exit(0);
}

// A socket that is closed with something unread in it makes the other end fail once (ECONNRESET), before it gives back
// what was sent.
TEST(SupervisorTest, TheEndIsNotLostWhenASignalIsStillUnderWay) {
  test::in_child([]() -> Result<void> {
    const pid_t supervisor = ::getpid();
    const auto seen = TRY(supervise(
        [supervisor](const Guest& guest) {
          guest.start();
          guest.next_signal();
          ::usleep(50000);  // until the second one is there, which nobody reads
          hold_up(guest, supervisor);
          guest.say(Kind::ended, W_EXITCODE(5, 0));
          return 5;
        },
        [] {
          ::kill(::getpid(), SIGTERM);
          ::kill(::getpid(), SIGUSR2);
        }));
    return expect_end(seen, "exit status 5");
  });
}

TEST(SupervisorTest, ASignalBeforeTheStartEndsTheRun) {
  test::in_child([]() -> Result<void> {
    const pid_t supervisor = ::getpid();
    const auto seen = TRY(supervise([supervisor](const Guest&) {
      ::kill(supervisor, SIGTERM);
      ::pause();
      return 0;
    }));
    TRY_VOID(verify(seen.started.empty(), "the command never started"));
    return expect_end(seen, "signal 15");
  });
}

TEST(SupervisorTest, ASignalIsHeldUntilThereIsARunToEnd) {
  test::in_child([]() -> Result<void> {
    Supervisor::hold_signals();
    ::raise(SIGTERM);
    return expect_end(TRY(supervise([](const Guest&) {
                        ::pause();
                        return 0;
                      })),
                      "signal 15");
  });
}

TEST(SupervisorTest, OfSeveralStartsAndEndsTheFirstCounts) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise([](const Guest& guest) {
      guest.start();
      guest.start();
      guest.say(Kind::ended, W_EXITCODE(3, 0));
      guest.say(Kind::ended, W_EXITCODE(0, 0));
      return 0;
    }));
    TRY_VOID(verify(seen.started.size() == 1, "one start"));
    return expect_end(seen, "exit status 3");
  });
}

TEST(SupervisorTest, MessagesOfNoKnownFormAreIgnored) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise([](const Guest& guest) {
      guest.say_bytes('x');
      guest.say_bytes(std::array<char, 4000>{});
      guest.say(static_cast<Kind>(99), 5);
      guest.say(Kind::signal, SIGKILL);
      guest.start();
      guest.say(Kind::ended, W_EXITCODE(4, 0));
      return 4;
    }));
    return expect_end(seen, "exit status 4");
  });
}

// Sends `fd` along with a message, as a hostile guest may.
void send_descriptor(const Guest& guest, int fd) {
  Message message{static_cast<Kind>(99), 0};
  iovec data{&message, sizeof message};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof fd)] = {};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = space;
  header.msg_controllen = sizeof space;
  cmsghdr* attached = CMSG_FIRSTHDR(&header);
  attached->cmsg_level = SOL_SOCKET;
  attached->cmsg_type = SCM_RIGHTS;
  attached->cmsg_len = CMSG_LEN(sizeof fd);
  *reinterpret_cast<int*>(CMSG_DATA(attached)) = fd;
  if (::sendmsg(guest.control, &header, 0) < 0) ::_exit(98);
}

TEST(SupervisorTest, DescriptorsThatTheGuestSendsAreNotKept) {
  test::in_child([]() -> Result<void> {
    const auto before = TRY(list_directory(AT_FDCWD, "/proc/self/fd/.")).size();
    TRY(supervise([](const Guest& guest) {
      for (int i = 0; i < 20; ++i) send_descriptor(guest, STDIN_FILENO);
      guest.start();
      guest.say(Kind::ended, 0);
      return 0;
    }));
    return verify(TRY(list_directory(AT_FDCWD, "/proc/self/fd/.")).size() == before, "as many descriptors as before");
  });
}

// Its own end of the socket, held by the supervisor itself, would never be closed.
TEST(SupervisorTest, AGuestThatSendsItsEndOfTheSocketStillEnds) {
  test::in_child([]() -> Result<void> {
    ::alarm(10);
    return expect_end(TRY(supervise([](const Guest& guest) {
                        send_descriptor(guest, guest.control);
                        guest.start();
                        guest.say(Kind::ended, 0);
                        return 0;
                      })),
                      "exit status 0");
  });
}

}  // namespace
}  // namespace isolate
