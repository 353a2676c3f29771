// A caller and a guest for tests of GuestStreams: processes that have the descriptors of each.
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <functional>
#include <string>

#include "base/testing.h"
#include "launch/guest_streams.h"
#include "linux/file.h"
#include "linux/held_signals.h"
#include "linux/process.h"

namespace isolate::test {

// The caller of a test: a child whose 0, 1 and 2 are what the test says. Standard error stays, for what fails.
inline Result<void> become_caller(const std::string& input, const std::string& output, int output_flags) {
  hold_signals();
  const auto in = TRY(open_file(AT_FDCWD, input, O_RDONLY));
  const auto out = TRY(open_file(AT_FDCWD, output, output_flags | O_CREAT, 0600));
  if (::dup2(in.get(), 0) < 0 || ::dup2(out.get(), 1) < 0) return fail(errno, "dup2");
  return {};
}

// Runs `guest` with what it would get as 0 and 1, and gives back what finish() says.
inline Result<int> run_guest(const std::function<int(int, int)>& guest, bool is_patient = true) {
  auto streams = TRY(GuestStreams::prepare({}));
  auto child = TRY(fork_child(0, [&] {
    // As execve would do it: none of the other ends.
    const int in = ::dup2(streams.descriptor(0), 100);
    const int out = ::dup2(streams.descriptor(1), 101);
    ::syscall(SYS_close_range, 3, 99, 0);
    return guest(in, out);
  }));
  TRY_VOID(streams.start());
  const auto ended = TRY(child.wait());
  TRY_VOID(verify(ended.signalled || ended.success(), "the guest"));
  return streams.finish(is_patient);
}

inline int copy_bytes(int in, int out, std::size_t most) {
  char buffer[4096];
  while (most > 0) {
    const ssize_t got = ::read(in, buffer, std::min(sizeof buffer, most));
    if (got <= 0) break;
    if (!write_all(out, {buffer, static_cast<std::size_t>(got)}, "copy")) return 1;
    most -= static_cast<std::size_t>(got);
  }
  return 0;
}

inline void fill(const std::string& path, std::size_t size) { std::ofstream(path) << std::string(size, 'x') << "end"; }

inline Result<void> expect_status(const Result<int>& status, int expected) {
  if (!status) return fail(status.error());
  return verify(*status == expected, "status " + std::to_string(*status));
}

}  // namespace isolate::test
