#include "linux/terminal_state.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

class TerminalStateTest : public testing::Test {
 protected:
  void SetUp() override {
    REQUIRE_ROOT();
    control_ = Fd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_EQ(::unlockpt(control_.get()), 0);
    side_ = Fd(::ioctl(control_.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_TRUE(side_);
    ASSERT_EQ(::fchmod(side_.get(), 0620), 0);
  }
  struct stat status() const {
    struct stat status {};
    EXPECT_EQ(::fstat(side_.get(), &status), 0);
    return status;
  }
  Fd control_;
  Fd side_;
};

TEST_F(TerminalStateTest, ADeviceThatIsNoTerminalHasNoState) {
  const auto null = open_file(AT_FDCWD, "/dev/null", O_RDWR);
  EXPECT_FALSE(TerminalState::of(null->get()));
}

TEST_F(TerminalStateTest, ModeAndExclusiveModeAreRestored) {
  const auto state = TerminalState::of(side_.get());
  ASSERT_TRUE(state);
  ASSERT_EQ(::fchmod(side_.get(), 0666), 0);
  ASSERT_EQ(::ioctl(side_.get(), TIOCEXCL), 0);
  state->restore();
  int exclusive = 1;
  ASSERT_EQ(::ioctl(side_.get(), TIOCGEXCL, &exclusive), 0);
  EXPECT_EQ(exclusive, 0);
  EXPECT_EQ(status().st_mode & 07777U, 0620U);
}

TEST_F(TerminalStateTest, ATerminalIsLentToOneGuestAndGivenBack) {
  auto state = TerminalState::of(side_.get());
  ASSERT_TRUE(state->lend_to(70000, 65536));
  EXPECT_EQ(status().st_uid, 70000U);
  auto other = TerminalState::of(side_.get());
  ASSERT_TRUE(other->lend_to(80000, 65536));
  EXPECT_EQ(status().st_uid, 70000U);
  other->restore();
  EXPECT_EQ(status().st_uid, 70000U);
  state->restore();
  EXPECT_EQ(status().st_uid, 0U);
}

}  // namespace
}  // namespace isolate
