#include "linux/own_code.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/testing.h"
#include "base/text.h"
#include "linux/file.h"

namespace isolate {
namespace {

// The KiB of this program's executable segments that are in memory.
std::uint64_t resident_code() {
  const auto program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::uint64_t sum = 0;
  bool is_code = false;
  for (const auto& line : text::split(test::must(read_file("/proc/self/smaps")), '\n')) {
    if (line.find('-') < line.find(' ')) is_code = line.find(" r-xp ") != std::string::npos && line.ends_with(program);
    if (is_code && line.starts_with("Rss:")) sum += std::stoull(line.substr(4));
  }
  return sum;
}

TEST(OwnCodeTest, CodeLeavesMemoryAndComesBackWhenItRuns) {
  static int written = 1;
  resident_code();
  const auto before = resident_code();
  ASSERT_GT(before, 0U);
  written = 2;
  release_own_code();
  EXPECT_LT(resident_code(), before);
  EXPECT_EQ(written, 2);
}

}  // namespace
}  // namespace isolate
