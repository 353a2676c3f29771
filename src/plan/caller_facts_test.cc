#include "plan/caller_facts.h"

#include <gtest/gtest.h>
#include <sys/mount.h>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

using test::must;

CallerFacts facts_for(const RunRequest& request) { return must(look_up_facts(request, Caller::current(), 022)); }

TEST(CallerFactsTest, EachEngineHasAFilterUnlessThereIsToBeNone) {
  RunRequest request;
  const auto usual = facts_for(request).filters;
  EXPECT_EQ(usual.size(), 1U);
  request.engine = EngineKind::chroot;
  EXPECT_EQ(facts_for(request).seccomp.kind, SeccompChoice::Kind::terminal);
  EXPECT_EQ(facts_for(request).filters.size(), 1U);
  EXPECT_NE(facts_for(request).filters, usual);
  request.seccomp.kind = SeccompChoice::Kind::none;
  EXPECT_TRUE(facts_for(request).filters.empty());
}

TEST(CallerFactsTest, TheFilterCanBeSwitchedOffByTheEnvironmentWhereNoneIsAskedFor) {
  const test::ScopedVariable disabled("DISABLE_SECCOMP_WRAPPER", "1");
  RunRequest request;
  EXPECT_TRUE(facts_for(request).filters.empty());
  request.seccomp.kind = SeccompChoice::Kind::terminal;
  EXPECT_EQ(facts_for(request).filters.size(), 1U);
}

TEST(CallerFactsTest, TermIsTheCallers) {
  const test::ScopedVariable term("TERM", "vt100");
  EXPECT_EQ(facts_for({}).term, "vt100");
  const test::ScopedVariable none("TERM", nullptr);
  EXPECT_EQ(facts_for({}).term, std::nullopt);
}

TEST(CallerFactsTest, AFilterKeptByTheFirstRunDoesNotCloseTheDirectoryToGuests) {
  REQUIRE_ROOT();
  RunRequest request;
  request.dropped_capabilities = must(CapabilitySet::parse("CHOWN"));  // takes a filter of its own, which is kept
  test::in_private_mounts([&]() -> Result<void> {
    if (::mount("tmpfs", "/run", "tmpfs", 0, nullptr) != 0) return fail(errno, "mount");
    facts_for(request);
    TRY(status_of(AT_FDCWD, "/run/isolate/seccomp"));
    return test::verify((TRY(status_of(AT_FDCWD, "/run/isolate")).st_mode & 07777) == 0755, "its mode is 0755");
  });
}

}  // namespace
}  // namespace isolate
