#include "linux/userns_switches.h"

#include "base/testing.h"
#include "linux/process_testing.h"

namespace isolate {
namespace {

TEST(UsernsSwitchesTest, ASeccompFilterIsAReason) {
  test::expect_success(test::outcome_in_child([]() -> Result<void> {
    const auto before = reason_against_user_namespaces();
    TRY_VOID(
        test::verify(before == switch_against_user_namespaces(), "expected no reason but a sysctl, got: " + before));
    TRY_VOID(test::refuse_call(SYS_clone, CLONE_NEWUSER, EPERM));
    const auto reason = reason_against_user_namespaces();
    return test::verify(!reason.empty(), "a reason");
  }));
}

// This limit binds the daemon as well, so the daemon could not help.
TEST(UsernsSwitchesTest, AnExhaustedLimitIsNoReason) {
  test::expect_success(test::outcome_in_child([]() -> Result<void> {
    TRY_VOID(test::refuse_call(SYS_clone, CLONE_NEWUSER, ENOSPC));
    const auto reason = reason_against_user_namespaces();
    return test::verify(reason == switch_against_user_namespaces(), reason);
  }));
}

}  // namespace
}  // namespace isolate
