#include "seccomp/cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate::seccomp {
namespace {

using test::must;

int parses = 0;

Result<Profile> counted(std::string_view source, const CapabilitySet& capabilities) {
  ++parses;
  return parse_oci_profile(source, capabilities);
}

constexpr const char* kSource = R"({"defaultAction": "SCMP_ACT_ALLOW"})";

class CacheTest : public ::testing::Test {
 protected:
  CacheTest() { parses = 0; }
  Filter filter(const std::string& source = kSource, const CapabilitySet& capabilities = {},
                const Filter& sample = "sample") const {
    return must(cached_filter(path(), source, capabilities, sample, counted));
  }
  std::string path() const { return directory_ / "cache/seccomp"; }
  std::string only_file() const { return path() + "/" + must(list_directory(AT_FDCWD, path())).at(0); }

  test::TempDirectory directory_;
};

TEST_F(CacheTest, AProfileIsCompiledOnce) {
  const auto first = filter();
  EXPECT_EQ(filter(), first);
  EXPECT_EQ(parses, 1);
}

TEST_F(CacheTest, AFilterIsCompiledForEachTextAndEachSetOfCapabilities) {
  filter();
  filter(std::string(kSource) + " ");
  filter(kSource, must(CapabilitySet::parse("BPF")));
  EXPECT_EQ(parses, 3);
}

TEST_F(CacheTest, AFilterOfAnotherVersionIsNotUsed) {
  filter(kSource, {}, "before");
  filter(kSource, {}, "after");
  EXPECT_EQ(parses, 2);
}

TEST_F(CacheTest, AFileThatIsDamagedOrThatOthersCanWriteIsReplaced) {
  const auto good = filter();
  test::write_text(only_file(), "isolate");
  EXPECT_EQ(filter(), good);
  ASSERT_EQ(::chmod(only_file().c_str(), 0666), 0);
  EXPECT_EQ(filter(), good);
  EXPECT_EQ(parses, 3);
  EXPECT_EQ(must(status_of(AT_FDCWD, only_file())).st_mode & 0777, 0600U) << "replaced";
}

TEST_F(CacheTest, WithoutACacheTheFilterIsStillCompiled) {
  test::write_text(directory_ / "cache", "a file");
  EXPECT_FALSE(filter().empty());
}

}  // namespace
}  // namespace isolate::seccomp
