#include "isolatectl/debian_source.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/testing.h"

namespace isolate {
namespace {

using Words = std::vector<std::string>;
using test::must;

// The output of `apt-get indextargets` after the lists were fetched: one line for each suite and component.
const char* const kFetched =
    "http://deb.example.org/debian/|Debian|Debian|main\n"
    "http://deb.example.org/debian/|Debian|Debian|non-free-firmware\n"
    "http://deb.example.org/debian/|Debian|Debian|main\n"
    "http://deb.example.org/debian-security/|Debian|Debian-Security|main\n";

TEST(SourcesTest, ASuiteComesFromTheHostsMirrorsWithUpdatesAndSecurity) {
  EXPECT_EQ(sources_for("bookworm", kFetched),
            (Words{"deb http://deb.example.org/debian bookworm main",
                   "deb http://deb.example.org/debian bookworm-updates main",
                   "deb http://deb.example.org/debian-security bookworm-security main"}));
}

TEST(SourcesTest, LinesNameTheSuiteThatTheUserAskedFor) {
  EXPECT_EQ(sources_for("trixie", kFetched).back(), "deb http://deb.example.org/debian-security trixie-security main");
}

TEST(SourcesTest, AMirrorWithAnUnusualPathIsFoundByItsLabel) {
  EXPECT_EQ(sources_for("bookworm",
                        "https://mirror.example.com/apt/d/|Debian|Debian|main\n"
                        "https://mirror.example.com/apt/s|Debian|Debian-Security|main\n"),
            (Words{"deb https://mirror.example.com/apt/d bookworm main",
                   "deb https://mirror.example.com/apt/d bookworm-updates main",
                   "deb https://mirror.example.com/apt/s bookworm-security main"}));
}

TEST(SourcesTest, AMirrorWhoseListsWereNeverFetchedIsFoundByItsPath) {
  EXPECT_EQ(sources_for("bookworm",
                        "http://deb.example.org/debian|||main\nhttp://deb.example.org/debian|||contrib\n"
                        "http://security.debian.org/debian-security//|||main\n"),
            (Words{"deb http://deb.example.org/debian bookworm main",
                   "deb http://deb.example.org/debian bookworm-updates main",
                   "deb http://security.debian.org/debian-security bookworm-security main"}));
}

TEST(SourcesTest, RepositoriesOfOtherVendorsAreNotUsed) {
  const std::string others =
      "https://download.docker.com/linux/debian/|Docker|Docker CE|stable\n"
      "https://apt.postgresql.org/pub/repos/apt/|apt.postgresql.org|PostgreSQL for Debian/Ubuntu repository|main\n"
      "https://repo.mongodb.org/apt/debian/|mongodb|mongodb|main\n"
      "http://deb.example.org/debian/|Debian Backports|Debian Backports|main\n"
      "http://archive.ubuntu.com/ubuntu/|Ubuntu|Ubuntu|main\n";
  EXPECT_TRUE(sources_for("bookworm", others).empty());
  EXPECT_EQ(sources_for("sid", kFetched).size(), 1U) << "unstable has neither updates nor security";
  EXPECT_EQ(sources_for("bookworm", others + kFetched), sources_for("bookworm", kFetched));
}

// The first line is a repository that was added but not fetched yet, in a file that apt reads first.
TEST(SourcesTest, AnArchiveWithDebiansLabelIsPreferredToOneWithDebiansPath) {
  EXPECT_EQ(sources_for("bookworm", std::string("https://repo.mongodb.org/apt/debian/|||main\n") + kFetched),
            sources_for("bookworm", kFetched));
}

TEST(SourcesTest, WithoutASecurityArchiveThereAreOnlyTwoLines) {
  EXPECT_EQ(sources_for("bookworm", "http://deb.example.org/debian/|Debian|Debian|main\n").size(), 2U);
}

TEST(SourcesTest, AHostWithoutADebianRepositoryHasNoLines) {
  EXPECT_TRUE(sources_for("bookworm", "").empty());
  EXPECT_TRUE(sources_for("bookworm", "http://deb.example.org/debian/|Debian|Debian|contrib\n").empty());
  EXPECT_TRUE(sources_for("bookworm", "http://deb.example.org/debian-security/|Debian|Debian-Security|main\n").empty());
}

TEST(SourcesTest, MalformedLinesAreIgnored) {
  const auto sources =
      sources_for("bookworm", std::string("W: something\n|||\n||main\na|b|Debian|main|x\n") + kFetched);
  EXPECT_EQ(sources, sources_for("bookworm", kFetched));
}

TEST(TransportTest, OnlySettingsForReachingAMirrorAreCopied) {
  EXPECT_EQ(transport_settings("APT::Architecture \"amd64\";\n"
                               "Acquire \"\";\n"
                               "Acquire::http \"\";\n"
                               "Acquire::http::Proxy \"http://proxy.example.com:3128/\";\n"
                               "Acquire::http::Proxy::deb.example.com \"DIRECT\";\n"
                               "Acquire::https::Proxy \"http://proxy.example.com:3128/\";\n"
                               "Acquire::ForceIPv4 \"true\";\n"
                               "Acquire::Check-Date \"0\";\n"
                               "Acquire::Check-Valid-Until \"false\";\n"
                               "Acquire::Retries \"3\";\n"
                               "Acquire::Languages \"none\";\n"
                               "Dir::Etc::sourcelist \"/x\";\n"
                               "DPkg::Post-Invoke:: \"rm -f x || true\";\n"),
            (Words{"Acquire::http::Proxy \"http://proxy.example.com:3128/\"",
                   "Acquire::http::Proxy::deb.example.com \"DIRECT\"",
                   "Acquire::https::Proxy \"http://proxy.example.com:3128/\"", "Acquire::ForceIPv4 \"true\"",
                   "Acquire::Check-Date \"0\"", "Acquire::Check-Valid-Until \"false\"", "Acquire::Retries \"3\""}));
}

TEST(TransportTest, EmptyAndMalformedSettingsAreIgnored) {
  EXPECT_TRUE(transport_settings("").empty());
  EXPECT_TRUE(transport_settings("Acquire::http::Proxy \"\";\n").empty());
  EXPECT_TRUE(transport_settings("Acquire::http::Proxy\n").empty());
}

DebianRequest request() {
  DebianRequest request;
  request.suite = "bookworm";
  request.mirrors = {"http://mirror.example.com/debian"};
  return request;
}

// The command without words that may stand before "mmdebstrap".
Words mmdebstrap_words(const DebianRequest& wanted, bool as_root) {
  const auto command = must(mmdebstrap_command(wanted, as_root));
  return {std::find(command.begin(), command.end(), "mmdebstrap"), command.end()};
}

TEST(MmdebstrapTest, TheCommandWritesAnArchiveOfTheSuiteFromTheGivenMirrors) {
  auto wanted = request();
  wanted.include = {"git", "make"};
  const auto words = mmdebstrap_words(wanted, true);
  ASSERT_GE(words.size(), 8U);
  EXPECT_EQ(Words(words.begin(), words.begin() + 5),
            (Words{"mmdebstrap", "--mode=root", "--format=tar", "--variant=minbase", "--include=git,make"}));
  EXPECT_EQ(Words(words.end() - 3, words.end()), (Words{"bookworm", "-", "http://mirror.example.com/debian"}));
}

TEST(MmdebstrapTest, AnOrdinaryUserGetsANamespaceAndNoIncludeOption) {
  const auto words = mmdebstrap_words(request(), false);
  ASSERT_GE(words.size(), 4U);
  EXPECT_EQ(words[1], "--mode=unshare");
  EXPECT_TRUE(std::none_of(words.begin(), words.end(), [](auto& word) { return word.starts_with("--include"); }));
}

TEST(MmdebstrapTest, AnInvalidNameOfASuiteIsRefused) {
  for (const char* suite : {"", "--setup-hook=id", "a b", "../x", "a/b", "a\n"}) {
    auto hostile = request();
    hostile.suite = suite;
    EXPECT_FALSE(mmdebstrap_command(hostile, true)) << suite;
  }
}

}  // namespace
}  // namespace isolate
