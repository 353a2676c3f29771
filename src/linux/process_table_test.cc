#include "linux/process_table.h"

#include <signal.h>

#include <algorithm>

#include "base/testing.h"
#include "linux/process.h"

namespace isolate {
namespace {

using test::must;

TEST(ProcessTableTest, AStatFileIsParsedAfterTheNameWhateverItContains) {
  const std::string numbers = "S 7 1 1 0 -1 4194560 1 2 3 4 100 20 3 1 20 0 5 0 777 1000 2 18446744073709551615 0 0\n";
  for (const char* name : {"sh", "a b", ") R 1 1 1", "))", ""}) {
    const auto info = must(process_info_from("12 (" + std::string(name) + ") " + numbers));
    EXPECT_EQ(info.state, 'S') << name;
    EXPECT_EQ(info.parent, 7) << name;
    EXPECT_EQ(info.cpu_ticks, 124U) << name;
    EXPECT_EQ(info.threads, 5U) << name;
  }
  for (const char* text : {"", "12", "12 (sh)", "12 (sh) S 7 1", "12 (sh) S x 1 1 0 -1 4 1 2 3 4 9 9 9 9 20 0 5 0"}) {
    EXPECT_FALSE(process_info_from(text)) << text;
  }
}

TEST(ProcessTableTest, AStatusFileHoldsUserMemoryAndPids) {
  const auto status = must(
      process_status_from("Name:\tNSpid: 1\nUid:\t1000\t0\t0\t0\nNSpid:\t500\t7\t1\nRssAnon:\t    12 kB\nRssFile:\t "
                          "90 kB\nRssShmem:\t 3 kB\n"));
  EXPECT_EQ(status.uid, 1000U);
  EXPECT_EQ(status.memory_bytes, 15U * 1024);
  EXPECT_EQ(status.numbers, (std::vector<pid_t>{500, 7, 1}));
  EXPECT_EQ(must(process_status_from("Name:\tx\nUid:\t1\t1\t1\t1\nNSpid:\t5\n")).memory_bytes, 0U);
  EXPECT_FALSE(process_status_from(""));
  EXPECT_FALSE(process_status_from("Name:\tx\nUid:\t1\t1\t1\t1\n"));
  EXPECT_FALSE(process_status_from("Name:\tx\nNSpid:\t5\n"));
}

TEST(ProcessTableTest, ProcessOneOfANestedPidNamespaceIsRecognised) {
  const ProcessStatus above{0, 0, {500}};
  EXPECT_TRUE((ProcessStatus{0, 0, {501, 1}}.is_first_below(above)));
  EXPECT_FALSE((ProcessStatus{0, 0, {1}}.is_first_below(above)));
  EXPECT_FALSE((ProcessStatus{0, 0, {501, 2}}.is_first_below(above)));
  EXPECT_FALSE((ProcessStatus{0, 0, {501, 2, 1}}.is_first_below(above)));
}

TEST(ProcessTableTest, TreeOfAProcessContainsItsDescendants) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  auto child = must(fork_child(0, [&] {
    auto below = fork_child(0, [&] {
      [[maybe_unused]] auto written = ::write(ready[1], "x", 1);
      return ::pause();
    });
    return ::pause();
  }));
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const auto table = must(ProcessTable::read());
  const auto tree = table.tree_of(child.pid());
  EXPECT_EQ(tree.size(), 2U);
  EXPECT_EQ(tree.front(), child.pid());
  const auto own = table.children_of(::getpid());
  EXPECT_NE(std::find(own.begin(), own.end(), child.pid()), own.end());
  EXPECT_TRUE(table.tree_of(1 << 30).empty());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(ProcessTableTest, SignallingAProcessThatHasEndedIsAnError) {
  auto child = must(fork_child(0, [] { return ::pause(); }));
  const auto held = must(HeldProcess::open(child.pid()));
  EXPECT_FALSE(held.has_ended());
  EXPECT_TRUE(test::succeeded(held.signal(SIGKILL)));
  must(child.wait());
  EXPECT_TRUE(held.has_ended());
  EXPECT_TRUE(test::fails_with(held.signal(SIGKILL), ESRCH));
}

}  // namespace
}  // namespace isolate
