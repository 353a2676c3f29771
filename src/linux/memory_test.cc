#include "linux/memory.h"

#include "base/testing.h"

namespace isolate {
namespace {

using test::must;

TEST(MachineMemory, TheMachineHasMemory) {
  const auto memory = must(machine_memory());
  EXPECT_GT(memory.available, 0U);
  EXPECT_GT(memory.total, memory.available);
}

TEST(MachineMemory, LessThanASixteenthIsShortUntilThereIsAnEighth) {
  const auto scarce = must(machine_memory_from("MemTotal:   16000 kB\nMemFree:  90 kB\nMemAvailable:   999 kB\n"));
  EXPECT_EQ(scarce.total, 16000U * 1024);
  EXPECT_EQ(scarce.available, 999U * 1024);
  EXPECT_TRUE(scarce.is_short(false));
  const auto more = must(machine_memory_from("MemTotal: 16000 kB\nMemAvailable: 1999 kB\n"));
  EXPECT_FALSE(more.is_short(false));
  EXPECT_TRUE(more.is_short(true));
  EXPECT_FALSE(must(machine_memory_from("MemTotal: 16000 kB\nMemAvailable: 2000 kB\n")).is_short(true));
}

TEST(MachineMemory, TextWithoutTheValuesIsAnError) {
  for (const char* text :
       {"", "MemTotal: 16000 kB\n", "MemAvailable: 1 kB\n", "MemTotal: x kB\nMemAvailable: 1 kB\n"}) {
    EXPECT_FALSE(machine_memory_from(text)) << text;
  }
}

}  // namespace
}  // namespace isolate
