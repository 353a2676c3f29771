#include "request/resource_limits.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdint>

#include "base/testing.h"

namespace isolate {
namespace {

using test::message_of;
using test::must;

TEST(LimitsTest, ALimitIsANameAndAWholeNumberOrUnlimited) {
  EXPECT_EQ(must(parse_ulimit("nofile=1024")), (ResourceLimit{"nofile", RLIMIT_NOFILE, 1024}));
  EXPECT_EQ(must(parse_ulimit("core=0")), (ResourceLimit{"core", RLIMIT_CORE, 0}));
  EXPECT_EQ(must(parse_ulimit("nproc=unlimited")), (ResourceLimit{"nproc", RLIMIT_NPROC, kUnlimited}));
}

TEST(LimitsTest, AnythingElseIsRefused) {
  for (const char* text : {"", "nofile", "=5", "files=5", "nofile=", "nofile=-1", "nofile=1k", "nofile= 1",
                           "nofile=1:2", "nofile=9223372036854775808", "nofile=unlimited "}) {
    EXPECT_FALSE(parse_ulimit(text)) << text;
  }
  EXPECT_NE(message_of(parse_ulimit("files=5")).find("as, core, cpu"), std::string::npos) << "it lists the known names";
}

TEST(LimitsTest, ALaterLimitReplacesAnEarlierOne) {
  const auto limits = with_limits({{"core", RLIMIT_CORE, 1}, {"nproc", RLIMIT_NPROC, 4096}},
                                  {{"nproc", RLIMIT_NPROC, 10}, {"nproc", RLIMIT_NPROC, 20}});
  EXPECT_EQ(limit_of(limits, RLIMIT_NPROC), 20U);
  EXPECT_EQ(limit_of(limits, RLIMIT_CORE), 1U);
  EXPECT_EQ(limit_of(limits, RLIMIT_NOFILE), kUnlimited);
}

TEST(LimitsTest, ALimitAboveTheCallersHardLimitIsRefused) {
  test::in_child([]() -> Result<void> {
    const rlimit limit{100, 100};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return fail(errno, "setrlimit");
    TRY_VOID(check_reachable({{"nofile", RLIMIT_NOFILE, 100}, {"nofile", RLIMIT_NOFILE, kUnlimited}},
                             HardLimits::of_this_process()));
    return test::verify(message_of(check_reachable({{"nofile", RLIMIT_NOFILE, 101}}, HardLimits::of_this_process())) ==
                            "ulimit nofile=101: your own hard limit is 100, and only root can raise it",
                        "a refusal");
  });
}

TEST(LimitsTest, TheDefaultsStayWithinTheHardLimit) {
  test::in_child([]() -> Result<void> {
    const rlimit limit{100, 100};
    if (::setrlimit(RLIMIT_NPROC, &limit) != 0) return fail(errno, "setrlimit");
    return test::verify(limit_of(default_limits(HardLimits::of_this_process()), RLIMIT_NPROC) == 100, "100 processes");
  });
}

TEST(SecondsTest, SecondsBecomeMillisecondsRoundedUp) {
  EXPECT_EQ(must(parse_seconds("10", "timeout")), 10000U);
  EXPECT_EQ(must(parse_seconds("0.5", "timeout")), 500U);
  EXPECT_EQ(must(parse_seconds("1.0005", "timeout")), 1001U);
  EXPECT_EQ(must(parse_seconds("0.000000001", "timeout")), 1U);
  for (const char* text : {"", "0", "0.0", "-1", "1e3", "1.", ".5", "1.5s", "1.-5", "inf", "2000000000"}) {
    EXPECT_FALSE(parse_seconds(text, "timeout")) << text;
  }
}

TEST(CpusTest, ProcessorsBecomeMicrosecondsOfEachPeriod) {
  EXPECT_EQ(must(parse_cpus("1", "cpus")), 100000U);
  EXPECT_EQ(must(parse_cpus("1.5", "cpus")), 150000U);
  EXPECT_EQ(must(parse_cpus("0.01", "cpus")), 1000U);
  EXPECT_EQ(must(parse_cpus("0.123456", "cpus")), 12346U) << "rounded up";
  EXPECT_EQ(must(parse_cpus("10000", "cpus")), 1000000000U);
  for (const char* text : {"", "0", "0.009", "-1", "1e3", "1.", ".5", "2x", "10000.1", "10001", "inf", "01"}) {
    EXPECT_FALSE(parse_cpus(text, "cpus")) << text;
  }
}

TEST(SizeTest, UnitsArePowersOf1024) {
  EXPECT_EQ(must(parse_size("512", "tmp-size")), 512U);
  EXPECT_EQ(must(parse_size("64K", "tmp-size")), 65536U);
  EXPECT_EQ(must(parse_size("2G", "tmp-size")), std::uint64_t{2} << 30);
  for (const char* text : {"", "K", "0", "0M", "-1", "1m", "1 M", "1.5G", "8388608T", "99999999999999999999"}) {
    EXPECT_FALSE(parse_size(text, "tmp-size")) << text;
  }
}

}  // namespace
}  // namespace isolate
