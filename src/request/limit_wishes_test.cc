#include "request/limit_wishes.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace isolate {
namespace {

constexpr std::uint64_t kMiB = 1024ULL * 1024;

TEST(LimitWishesTest, OnlyTheLxcEngineUsesTheVariables) {
  RunRequest request;
  request.lxc.memory_mb = 64;
  EXPECT_FALSE(limit_wishes(request).any());
  request.group_limits.processes = 9;
  EXPECT_EQ(limit_wishes(request).all(), request.group_limits);
  EXPECT_EQ(limit_wishes(request).memory_name, "--memory");
}

TEST(LimitWishesTest, AContainerHasLimitsOfMemoryAndProcessorsByDefault) {
  RunRequest request;
  request.engine = EngineKind::lxc;
  const auto wishes = limit_wishes(request);
  EXPECT_FALSE(wishes.asked.any());
  EXPECT_EQ(controllers_of(wishes.usual), (std::vector<std::string>{"memory", "cpu"}));
  EXPECT_EQ(wishes.all(), wishes.usual);
  EXPECT_EQ(wishes.variables, "");
  EXPECT_EQ(wishes.memory_name, "LXC_MEM_MB_QUOTA");
}

TEST(LimitWishesTest, AVariableAsksForALimitAsAnOptionDoes) {
  RunRequest request;
  request.engine = EngineKind::lxc;
  request.lxc.memory_mb = 64;
  request.group_limits.processes = 9;
  const auto wishes = limit_wishes(request);
  EXPECT_EQ(wishes.asked.memory, 64 * kMiB);
  EXPECT_EQ(wishes.asked.processes, 9U);
  EXPECT_EQ(controllers_of(wishes.usual), (std::vector<std::string>{"cpu"}));
  EXPECT_EQ(wishes.variables, "LXC_MEM_MB_QUOTA");
  EXPECT_EQ(controllers_of(wishes.all()), (std::vector<std::string>{"memory", "cpu", "pids"}));
}

TEST(LimitWishesTest, AnOptionOverridesItsVariable) {
  RunRequest request;
  request.engine = EngineKind::lxc;
  request.lxc.memory_mb = 64;
  request.lxc.cpu_percent = 100;
  request.group_limits.memory = kMiB;
  request.group_limits.cpu_time = 1;
  const auto wishes = limit_wishes(request);
  EXPECT_EQ(wishes.asked, request.group_limits);
  EXPECT_FALSE(wishes.usual.any());
  EXPECT_EQ(wishes.variables, "");
  EXPECT_EQ(wishes.memory_name, "--memory");
}

TEST(LimitWishesTest, UnlimitedRemovesTheUsualLimitToo) {
  RunRequest request;
  request.engine = EngineKind::lxc;
  request.lxc.cpu_percent = 50;
  request.unlimited_memory = true;
  EXPECT_EQ(controllers_of(limit_wishes(request).all()), (std::vector<std::string>{"cpu"}));
  request.unlimited_cpus = true;
  EXPECT_FALSE(limit_wishes(request).any());
}

}  // namespace
}  // namespace isolate
