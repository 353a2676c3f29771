#include "supervise/supervisor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/held_signals.h"
#include "linux/process_testing.h"
#include "supervise/supervisor_testing.h"

namespace isolate {
namespace {

using protocol::Kind;
using protocol::Message;
using test::verify;
using namespace test_guest;

TEST(SupervisorTest, ReportsTheCommandsStartAndExactEnd) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise([](const Guest& guest) {
      guest.start();
      guest.say(Kind::ended, W_EXITCODE(3, 0));
      return 3;
    }));
    TRY_VOID(verify(seen.started == std::vector<pid_t>{seen.launcher}, "the pid comes from the kernel"));
    return expect_end(seen, "exit status 3");
  });
}

TEST(SupervisorTest, ProcessesThatOutliveTheCommandAreKilled) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise([](const Guest& guest) {
      guest.start();
      guest.say(Kind::ended, W_EXITCODE(3, 0));
      return test::pause_for_good();
    }));
    return expect_end(seen, "exit status 3");
  });
}

TEST(SupervisorTest, DistinguishesSignalsFromExitCodes) {
  test::in_child([]() -> Result<void> {
    return expect_end(TRY(supervise([](const Guest& guest) {
                        guest.start();
                        guest.say(Kind::ended, W_EXITCODE(0, SIGSEGV));
                        return 139;
                      })),
                      "signal 11");
  });
}

TEST(SupervisorTest, AFailedExecIsReportedWithItsErrno) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise([](const Guest& guest) {
      guest.say(Kind::pid);
      guest.say(Kind::failed, ENOENT);
      return 127;
    }));
    return verify(seen.outcome.exec_error == ENOENT && !seen.outcome.ended && seen.started.empty(), "ENOENT");
  });
}

TEST(SupervisorTest, AFailedChangeOfDirectoryIsReportedWithItsErrno) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise([](const Guest& guest) {
      guest.say(Kind::no_directory, ENOTDIR);
      return 125;
    }));
    return verify(seen.outcome.directory_error == ENOTDIR && seen.outcome.exec_error == 0, "ENOTDIR");
  });
}

TEST(SupervisorTest, ACommandWithoutItsUserIsAFailureOfIsolate) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise([](const Guest& guest) {
      guest.say(Kind::pid);
      guest.say(Kind::no_user, EPERM);
      return 125;
    }));
    const auto checked = test::message_of(seen.outcome.check_setup("/"));
    return verify(seen.started.empty() && checked.find("--home: user namespace of the command") == 0 &&
                      checked.find("run without --home") != std::string::npos,
                  checked);
  });
}

TEST(SupervisorTest, TheErrorIsTheLaunchersReport) {
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

TEST(SupervisorTest, AFailedSetupIsReportedWithItsErrno) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise([](const Guest& guest) {
      guest.say(Kind::no_setup, EINVAL);
      return 125;
    }));
    return verify(seen.outcome.setup_error == EINVAL, "EINVAL");
  });
}

TEST(SupervisorTest, SigintIsIgnoredIfTheUserWantsThat) {
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

// Stops a process for a tenth of a second, as a busy machine might.
void hold_up(const Guest& guest, pid_t process) {
  ::kill(process, SIGSTOP);
  if (::fork() != 0) return;
  ::close(guest.control);
  ::close(guest.report);
  ::usleep(100000);
  ::kill(process, SIGCONT);
  ::_exit(0);
}

// If one end of a socket is closed with unread data in it, the other end first reads ECONNRESET, and only then what was
// sent.
TEST(SupervisorTest, TheEndIsNotLostWhenASignalIsStillUnread) {
  test::in_child([]() -> Result<void> {
    const pid_t supervisor = ::getpid();
    const auto seen = TRY(supervise(
        [supervisor](const Guest& guest) {
          guest.start();
          guest.next_signal();
          ::usleep(50000);  // until the second signal has arrived, which nobody reads
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

// The command may already run, with its handler in place, before this process learns of the start.
TEST(SupervisorTest, ASignalDuringTheStartReachesTheCommand) {
  test::in_child([]() -> Result<void> {
    const pid_t supervisor = ::getpid();
    const auto seen = TRY(supervise([supervisor](const Guest& guest) {
      guest.say(Kind::pid);
      ::kill(supervisor, SIGTERM);
      const int got = guest.next_signal();
      guest.say(Kind::started);
      guest.say(Kind::ended, W_EXITCODE(got, 0));
      return 0;
    }));
    TRY_VOID(verify(seen.started.size() == 1, "one start"));
    return expect_end(seen, "exit status 15");
  });
}

TEST(SupervisorTest, MessagesThatHaveArrivedAreReadBeforeASignalIsHandled) {
  test::in_child([]() -> Result<void> {
    const pid_t supervisor = ::getpid();
    const auto seen = TRY(supervise([supervisor](const Guest& guest) {
      hold_up(guest, supervisor);
      ::kill(supervisor, SIGTERM);
      guest.start();
      guest.say(Kind::ended, W_EXITCODE(guest.next_signal(), 0));
      return 0;
    }));
    return expect_end(seen, "exit status 15");
  });
}

// On a network file system, execve may take for ever.
TEST(SupervisorTest, TheSameSignalAgainEndsACommandThatDoesNotStart) {
  test::in_child([]() -> Result<void> {
    const pid_t supervisor = ::getpid();
    const auto seen = TRY(supervise([supervisor](const Guest& guest) {
      guest.say(Kind::pid);
      ::kill(supervisor, SIGTERM);
      guest.next_signal();
      ::kill(supervisor, SIGTERM);
      ::pause();
      return 0;
    }));
    TRY_VOID(verify(seen.started.empty(), "the command never started"));
    return expect_end(seen, "signal 15");
  });
}

TEST(SupervisorTest, ASignalBeforeTheRunEndsIt) {
  test::in_child([]() -> Result<void> {
    hold_signals();
    ::raise(SIGTERM);
    return expect_end(TRY(supervise([](const Guest&) {
                        ::pause();
                        return 0;
                      })),
                      "signal 15");
  });
}

TEST(SupervisorTest, OnlyTheFirstStartAndEndCount) {
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

TEST(SupervisorTest, UnknownMessagesAreIgnored) {
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

// Sends `fd` twice with the first `length` bytes of a message. A hostile guest can do that.
void send_descriptor(const Guest& guest, int fd, std::size_t length = sizeof(Message)) {
  Message message{static_cast<Kind>(99), 0};
  const int both[] = {fd, fd};
  iovec data{&message, length};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof both)] = {};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = space;
  header.msg_controllen = sizeof space;
  cmsghdr* attached = CMSG_FIRSTHDR(&header);
  attached->cmsg_level = SOL_SOCKET;
  attached->cmsg_type = SCM_RIGHTS;
  attached->cmsg_len = CMSG_LEN(sizeof both);
  std::memcpy(CMSG_DATA(attached), both, sizeof both);
  if (::sendmsg(guest.control, &header, 0) < 0) ::_exit(98);
}

TEST(SupervisorTest, DescriptorsThatTheGuestSendsAreNotKept) {
  test::in_child([]() -> Result<void> {
    const auto before = TRY(list_directory(AT_FDCWD, "/proc/self/fd/.")).size();
    TRY(supervise([](const Guest& guest) {
      for (int i = 0; i < 20; ++i) send_descriptor(guest, STDIN_FILENO);
      for (int i = 0; i < 20; ++i) send_descriptor(guest, STDIN_FILENO, 3);
      guest.start();
      guest.say(Kind::ended, 0);
      return 0;
    }));
    return verify(TRY(list_directory(AT_FDCWD, "/proc/self/fd/.")).size() == before, "as many descriptors as before");
  });
}

// If the supervisor kept that descriptor, the socket would never be closed.
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
