#include "request/lxc_settings.h"

#include <cstdint>
#include <cstdlib>

#include "base/testing.h"
#include "limits/limit_group.h"

namespace isolate {
namespace {

constexpr std::uint64_t kMiB = 1024ULL * 1024;

class LxcSettingsTest : public ::testing::Test {
 protected:
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }
  static void clear() {
    for (const char* name : {"LXC_NET_BR", "LXC_MAP_TUN", "LXC_CPU_QUOTA", "LXC_MEM_MB_QUOTA", "DEBUG_LXC_SPAWN"}) {
      ::unsetenv(name);
    }
  }
  static Result<LxcSettings> with(const char* name, const char* value) {
    clear();
    ::setenv(name, value, 1);
    return lxc_settings_from_environment();
  }
};

TEST_F(LxcSettingsTest, AnEmptyVariableCountsAsUnset) {
  for (const char* name : {"LXC_NET_BR", "LXC_MAP_TUN", "LXC_CPU_QUOTA", "LXC_MEM_MB_QUOTA", "DEBUG_LXC_SPAWN"}) {
    EXPECT_EQ(with(name, "").value(), LxcSettings()) << name;
  }
  EXPECT_EQ(LxcSettings().bridge, "br_vm");
}

TEST_F(LxcSettingsTest, EachVariableSetsItsField) {
  EXPECT_EQ(with("LXC_NET_BR", "lxcbr0")->bridge, "lxcbr0");
  EXPECT_EQ(with("LXC_NET_BR", "none")->bridge, "");
  EXPECT_TRUE(with("LXC_MAP_TUN", "0")->map_tun);
  EXPECT_EQ(with("LXC_CPU_QUOTA", "100")->cpu_percent, 100U);
  EXPECT_EQ(with("LXC_MEM_MB_QUOTA", "512")->memory_mb, 512U);
  EXPECT_TRUE(with("DEBUG_LXC_SPAWN", "1")->log);
}

TEST_F(LxcSettingsTest, TheErrorNamesAVariableWithABadValue) {
  const std::pair<const char*, const char*> kBad[] = {
      {"LXC_NET_BR", "br0\nlxc.hook.pre-start = /bin/true"},
      {"LXC_NET_BR", "a/b"},
      {"LXC_NET_BR", ".."},
      {"LXC_NET_BR", "-a"},
      {"LXC_NET_BR", "sixteen_letters_"},
      {"LXC_CPU_QUOTA", "0"},
      {"LXC_CPU_QUOTA", "101"},
      {"LXC_CPU_QUOTA", "20%"},
      {"LXC_MEM_MB_QUOTA", "0"},
      {"LXC_MEM_MB_QUOTA", "-1"},
      {"LXC_MEM_MB_QUOTA", "18446744073709551615"},
      {"LXC_MEM_MB_QUOTA", "1G"},
  };
  for (const auto& [name, value] : kBad) {
    const auto settings = with(name, value);
    ASSERT_FALSE(settings) << name << "=" << value;
    EXPECT_NE(settings.error().message().find(name), std::string::npos) << settings.error().message();
    EXPECT_EQ(settings.error().message().find('\n'), std::string::npos);
  }
}

TEST(LxcQuotasTest, DefaultsAreATwentiethOfMemoryAndAFifthOfTheProcessors) {
  const auto quotas = lxc_quotas({}, 20000 * kMiB, 40);
  EXPECT_EQ(quotas.memory, 1000 * kMiB);
  EXPECT_EQ(quotas.cpu_time, 8 * kCpuPeriod);
}

TEST(LxcQuotasTest, AContainerGetsAtLeastOneProcessor) {
  EXPECT_EQ(lxc_quotas({}, kMiB, 2).cpu_time, kCpuPeriod);
  LxcSettings settings;
  settings.cpu_percent = 1;
  EXPECT_EQ(lxc_quotas(settings, kMiB, 64).cpu_time, kCpuPeriod);
  settings.cpu_percent = 75;
  EXPECT_EQ(lxc_quotas(settings, kMiB, 2).cpu_time, kCpuPeriod * 3 / 2);
}

TEST(LxcQuotasTest, MemoryIsInMiB) {
  LxcSettings settings;
  settings.memory_mb = 64;
  EXPECT_EQ(lxc_quotas(settings, 20000 * kMiB, 2).memory, 64 * kMiB);
}

}  // namespace
}  // namespace isolate
