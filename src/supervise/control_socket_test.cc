#include "supervise/control_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "base/testing.h"
#include "linux/socket.h"

namespace isolate {
namespace {

using protocol::Kind;
using protocol::Message;

class ControlSocketTest : public ::testing::Test {
 protected:
  ControlSocketTest() : socket_(test::must(ControlSocket::make(&guest_))) {}

  template <typename Bytes>
  void send_from_guest(const Bytes& bytes) const {
    ASSERT_EQ(::send(guest_.get(), &bytes, sizeof bytes, 0), static_cast<ssize_t>(sizeof bytes));
  }
  // Reads one packet, and keeps the message if it was one.
  bool read() {
    return socket_.read([this](ControlSocket::Attached attached, const Message& message) {
      values_.push_back(message.value);
      last_ = std::move(attached);
    });
  }

  Fd guest_;
  ControlSocket socket_;
  std::vector<int> values_;
  ControlSocket::Attached last_;
};

TEST_F(ControlSocketTest, AMessageComesWithTheSendersPid) {
  send_from_guest(Message{Kind::ended, 5});
  EXPECT_TRUE(read());
  EXPECT_EQ(values_, std::vector<int>{5});
  EXPECT_EQ(last_.sender, ::getpid());
  EXPECT_FALSE(last_.descriptor);
}

TEST_F(ControlSocketTest, ADescriptorComesWithItsMessage) {
  const Message message{Kind::terminal, 1};
  const std::string_view bytes(reinterpret_cast<const char*>(&message), sizeof message);
  test::must(send_message(guest_.get(), bytes, {guest_.get()}));
  EXPECT_TRUE(read());
  EXPECT_TRUE(last_.descriptor);
}

TEST_F(ControlSocketTest, PacketsOfAnotherLengthAreDropped) {
  send_from_guest('x');
  send_from_guest(std::array<char, 4000>{});
  send_from_guest(Message{Kind::ended, 6});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(read());
  EXPECT_EQ(values_, std::vector<int>{6});
}

TEST_F(ControlSocketTest, AnEmptySocketIsNotWaitedFor) {
  EXPECT_FALSE(read());
  EXPECT_TRUE(socket_);
}

TEST_F(ControlSocketTest, TheEndOfTheGuestClosesIt) {
  guest_.reset();
  EXPECT_FALSE(read());
  EXPECT_FALSE(socket_);
  socket_.send({Kind::signal, 1});  // does nothing
}

// The kernel reports ECONNRESET once in this case.
TEST_F(ControlSocketTest, WhatTheGuestSentLastIsReadAlthoughItLeftASignalUnread) {
  socket_.send({Kind::signal, 1});
  send_from_guest(Message{Kind::ended, 7});
  guest_.reset();
  while (read()) {
  }
  EXPECT_EQ(values_, std::vector<int>{7});
  EXPECT_FALSE(socket_);
}

}  // namespace
}  // namespace isolate
