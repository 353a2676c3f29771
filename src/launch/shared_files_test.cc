// Runs whose standard streams are the same open file.
#include <fcntl.h>
#include <sys/ioctl.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/testing.h"
#include "launch/guest_streams_testing.h"
#include "linux/file.h"
#include "linux/process.h"

namespace isolate {
namespace {

using test::become_caller;
using test::copy_bytes;
using test::fill;
using test::run_guest;
using test::verify;

// As in `(isolate A & isolate B & wait) >file`.
TEST(SharedFilesTest, RunsThatShareAnOutputFileOverwriteNothing) {
  const test::TempDirectory directory;
  test::in_child([&]() -> Result<void> {
    constexpr int kRuns = 8;
    constexpr int kLines = 300;
    TRY_VOID(become_caller("/dev/null", directory / "out", O_WRONLY));
    std::vector<ChildProcess> runs;
    for (int i = 0; i < kRuns; ++i) {
      runs.push_back(TRY(fork_child(0, [] {
        const auto status = run_guest([](int, int out) {
          for (int line = 0; line < kLines; ++line) {
            if (!write_all(out, "line\n", "test")) return 1;
            for (int left = 1; left != 0;) ::ioctl(out, FIONREAD, &left);
          }
          return 0;
        });
        return status && *status == 0 ? 0 : 1;
      })));
    }
    for (auto& run : runs) TRY_VOID(verify(TRY(run.wait()).success(), "a run"));
    return verify(TRY(read_file(directory / "out")).size() == std::size_t{kRuns} * kLines * 5, "all lines");
  });
}

TEST(SharedFilesTest, RunsThatShareAnInputFileReadEachPartOnce) {
  const test::TempDirectory directory;
  fill(directory / "in", 20'000'000);
  test::in_child([&]() -> Result<void> {
    constexpr int kRuns = 4;
    TRY_VOID(become_caller(directory / "in", "/dev/null", O_WRONLY));
    std::vector<ChildProcess> runs;
    for (int i = 0; i < kRuns; ++i) {
      const auto out = directory / ("out" + std::to_string(i));
      runs.push_back(TRY(fork_child(0, [&] {
        const auto file = open_file(AT_FDCWD, out, O_WRONLY | O_CREAT, 0600);
        if (!file || ::dup2(file->get(), 1) < 0) return 1;
        const auto status = run_guest([](int in, int to) { return copy_bytes(in, to, SIZE_MAX); });
        return status && *status == 0 ? 0 : 1;
      })));
    }
    std::size_t size = 0;
    for (int i = 0; i < kRuns; ++i) {
      TRY_VOID(verify(TRY(runs[static_cast<std::size_t>(i)].wait()).success(), "a run"));
      size += TRY(read_file(directory / ("out" + std::to_string(i)), 1 << 25)).size();
    }
    return verify(size == 20'000'003, "its size, not " + std::to_string(size));
  });
}

}  // namespace
}  // namespace isolate
