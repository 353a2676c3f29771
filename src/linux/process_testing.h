// What tests of child processes share.
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
#include <functional>
#include <stdexcept>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process.h"

namespace isolate::test {

constexpr int kPatience = 20000;  // milliseconds

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

// From here on a system call of this process and its children is an error; with `flag`, only if its first argument has
// it.
inline Result<void> refuse_call(std::uint32_t number, std::uint32_t flag, std::uint32_t error) {
  std::array<sock_filter, 6> program = {{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
                                         BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
                                         BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flag, 0, 1),
                                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
                                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}};
  // Without a flag to look for, the call is refused right away.
  if (flag == 0) program[2] = program[4];
  const sock_fprog filter{program.size(), program.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(errno, "no_new_privs");
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) return fail(errno, "seccomp");
  return {};
}
// As the filters of containers do, so that clone(2) is used, whose flags a filter can see.
inline Result<void> refuse_clone3() { return refuse_call(SYS_clone3, 0, ENOSYS); }
// A namespace below another one is made by unshare(2): so it looks where the host lets nobody make one there.
inline Result<void> refuse_unsharing() { return refuse_call(SYS_unshare, CLONE_NEWUSER, EPERM); }

using Fork = std::function<Result<ChildProcess>(const std::function<int()>& body)>;

inline void expect_child_to_die_with_its_parent(const Fork& fork) {
  Pipe ready;
  Pipe life;
  // Whoever of parent and child lives holds it open, also after execve.
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
