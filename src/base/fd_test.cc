#include "base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace isolate {
namespace {

Fd open_null() { return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }
bool is_open(int number) { return ::fcntl(number, F_GETFD) >= 0; }

TEST(FdTest, ClosesTheDescriptorWhenDestroyed) {
  int number = -1;
  {
    const auto fd = open_null();
    number = fd.get();
    ASSERT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(FdTest, MovingTransfersOwnership) {
  auto first = open_null();
  const int number = first.get();
  Fd second(std::move(first));
  EXPECT_EQ(second.get(), number);
  second = open_null();
  EXPECT_FALSE(is_open(number)) << "assignment closes the descriptor owned before";
  EXPECT_TRUE(is_open(second.get()));
}

TEST(FdTest, ReleasedDescriptorStaysOpen) {
  auto fd = open_null();
  const int number = fd.release();
  EXPECT_FALSE(fd);
  EXPECT_TRUE(is_open(number));
  ::close(number);
}

TEST(FdTest, DescriptorZeroIsValid) {
  Fd zero(0);
  EXPECT_TRUE(zero);
  zero.release();
  EXPECT_FALSE(Fd());
}

}  // namespace
}  // namespace isolate
