// Helpers for tests of child processes.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <functional>
#include <stdexcept>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process.h"

namespace isolate::test {

constexpr int kPatience = 20000;  // milliseconds; longer than a busy machine needs

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    read = Fd(ends[0]);
    write = Fd(ends[1]);
  }
  Fd read;
  Fd write;
};

inline bool is_readable(int fd) {
  pollfd source{fd, POLLIN, 0};
  return ::poll(&source, 1, kPatience) == 1;
}

inline int pause_for_good() {
  ::pause();
  return 0;
}

// Installs a seccomp filter that makes a system call of this process and its children fail with `error`. With a `flag`,
// the call fails only if its first argument contains that flag.
inline Result<void> refuse_call(std::uint32_t number, std::uint32_t flag, std::uint32_t error) {
  std::array<sock_filter, 6> program = {{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
                                         BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
                                         BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flag, 0, 1),
                                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
                                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}};
  // Without a flag, skip the check of the argument and refuse the call right away.
  if (flag == 0) program[2] = program[4];
  const sock_fprog filter{program.size(), program.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(errno, "no_new_privs");
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) return fail(errno, "seccomp");
  return {};
}
// The filters of containers do this, because they can see the flags of clone(2) but not of clone3(2).
inline Result<void> refuse_clone3() { return refuse_call(SYS_clone3, 0, ENOSYS); }
// Nested user namespaces are created with unshare(2), so this looks like a host that allows none there.
inline Result<void> refuse_unsharing() { return refuse_call(SYS_unshare, CLONE_NEWUSER, EPERM); }

using Fork = std::function<Result<ChildProcess>(const std::function<int()>& body)>;

inline void expect_child_to_die_with_its_parent(const Fork& fork) {
  Pipe ready;
  Pipe life;
  // The parent or the child keeps this end of the pipe open as long as it lives; F_DUPFD clears close-on-exec, so also
  // after execve.
  Fd held(::fcntl(life.write.get(), F_DUPFD, 3));
  life.write.reset();
  auto parent = must(fork_child(0, [&] {
    auto child = fork([&] {
      if (write_all(ready.write.get(), "r", "pipe")) ::execl("/bin/sleep", "sleep", "60", nullptr);
      return 1;
    });
    return child ? pause_for_good() : 1;
  }));
  held.reset();
  ASSERT_TRUE(is_readable(ready.read.get()));
  parent.kill_and_reap();
  ASSERT_TRUE(is_readable(life.read.get())) << "the child outlived its parent";
  EXPECT_EQ(must(read_all(life.read.get())), "");
}

}  // namespace isolate::test
