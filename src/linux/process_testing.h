// What tests of child processes share.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
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
