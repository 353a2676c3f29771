#include "warm/profile.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <functional>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process.h"

namespace isolate {
namespace {

using test::must;

RunRequest request() {
  RunRequest request;
  request.template_name = "debian";
  request.store = "/srv/isolate";
  request.guest_options = {{"engine", "native"}, {"cpus", "2"}};
  return request;
}

// Whether a child that has called `change` has the same profile as this process.
bool is_same_after(const std::function<void()>& change) {
  const auto before = must(warm_profile(request()));
  auto child = must(fork_child(0, [&] {
    change();
    return warm_profile(request()).value_or("") == before ? 0 : 1;
  }));
  return must(child.wait()).success();
}

TEST(WarmProfileTest, RunsWithTheSameOptionsHaveTheSameProfile) {
  auto other = request();
  other.command = {"true"};
  other.environment = {"A=B"};
  other.working_directory = "/srv";
  other.timeout = 7;
  EXPECT_EQ(must(warm_profile(request())), must(warm_profile(other)));
  EXPECT_TRUE(is_same_after([] {}));
}

TEST(WarmProfileTest, WhateverDecidesHowAGuestIsMadeChangesTheProfile) {
  const auto differs = [](auto change) {
    auto other = request();
    change(&other);
    EXPECT_NE(must(warm_profile(request())), must(warm_profile(other)));
  };
  differs([](auto* other) { other->template_name = "trixie"; });
  differs([](auto* other) { other->store = "/srv/other"; });
  differs([](auto* other) { other->guest_options.emplace_back("share-net", "true"); });
  differs([](auto* other) { other->guest_options[0].second = "bwrap"; });
  differs([](auto* other) { other->seccomp.kind = SeccompChoice::Kind::none; });
  differs([](auto* other) { other->binds = {{"/a", "/b", true}}; });
}

TEST(WarmProfileTest, WhatAProcessInheritsChangesTheProfile) {
  EXPECT_FALSE(is_same_after([] {
    const rlimit limit{77, 77};
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }));
  EXPECT_FALSE(is_same_after([] { [[maybe_unused]] const int nice = ::nice(3); }));
  EXPECT_FALSE(is_same_after([] { ::prctl(PR_SET_TIMERSLACK, 12345, 0, 0, 0); }));
  EXPECT_FALSE(is_same_after([] {
    const sched_param none{};
    ::sched_setscheduler(0, SCHED_BATCH, &none);
  }));
}

TEST(WarmProfileTest, TheOrderOfDifferentOptionsDoesNotMatter) {
  auto other = request();
  std::swap(other.guest_options[0], other.guest_options[1]);
  EXPECT_EQ(must(warm_profile(request())), must(warm_profile(other)));
}

TEST(WarmProfileTest, AnotherObjectAtTheSourceOfABindChangesTheProfile) {
  const test::TempDirectory directory;
  auto bound = request();
  bound.binds = {{directory.path() + "/source", "/b", true}};
  const auto missing = must(warm_profile(bound));
  must(make_directory(AT_FDCWD, directory.path() + "/source", 0755));
  const auto first = must(warm_profile(bound));
  EXPECT_NE(first, missing);
  EXPECT_EQ(first, must(warm_profile(bound)));
  must(rename_file(AT_FDCWD, directory.path() + "/source", AT_FDCWD, directory.path() + "/old"));
  must(make_directory(AT_FDCWD, directory.path() + "/source", 0755));
  EXPECT_NE(first, must(warm_profile(bound)));
}

TEST(WarmProfileTest, AValueCannotLookLikeOthers) {
  auto one = request();
  auto other = request();
  one.binds = {{"/a\x01", "/b", true}};
  other.binds = {{"/a\\x01", "/b", true}};
  EXPECT_NE(must(warm_profile(one)), must(warm_profile(other)));
}

TEST(WarmProfileTest, NamesDiffer) {
  EXPECT_EQ(name_of_profile("a"), name_of_profile("a"));
  EXPECT_NE(name_of_profile("a"), name_of_profile("b"));
}

TEST(WarmProfileTest, SomeOptionsNeedAColdGuest) {
  const auto refuses = [](auto change) {
    auto other = request();
    must(check_can_be_warm(other));
    change(&other);
    EXPECT_FALSE(check_can_be_warm(other));
  };
  refuses([](auto* other) { other->template_name.clear(); });
  refuses([](auto* other) { other->engine = EngineKind::lxc; });
  refuses([](auto* other) { other->shares = {{"x11", "", false}}; });
  refuses([](auto* other) { other->pre_hook = "true"; });
  refuses([](auto* other) { other->post_hook = "true"; });
  refuses([](auto* other) { other->own_terminal = true; });
  refuses([](auto* other) { other->keep = true; });
  refuses([](auto* other) { other->dry_run = true; });
  refuses([](auto* other) { other->seccomp = {SeccompChoice::Kind::file, "/profile"}; });
}

TEST(WarmProfileTest, ACallerThatIsConfinedNeedsAColdGuest) {
  auto child = must(fork_child(0, [] {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return check_can_be_warm(request()) ? 1 : 0;
  }));
  EXPECT_TRUE(must(child.wait()).success());
}

}  // namespace
}  // namespace isolate
