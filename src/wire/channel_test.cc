#include "wire/channel.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/testing.h"

namespace isolate::wire {
namespace {

using test::fails_with;
using test::must;
using test::succeeded;
using Milliseconds = Channel::Milliseconds;

constexpr Milliseconds kShort{50};
constexpr Milliseconds kLong{10'000};

class ChannelTest : public ::testing::Test {
 protected:
  ChannelTest() : ends_(pair()), here_(Fd(ends_[0]), Descriptors::accept), there_(ends_[1]) {}
  static std::array<int, 2> pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) throw std::runtime_error("socketpair");
    return ends;
  }
  void write_raw(const std::string& bytes) const {
    ASSERT_EQ(::send(there_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  Result<std::optional<std::string>> receive() { return here_.receive(kLong, kLong); }

  std::array<int, 2> ends_;
  Channel here_;
  Fd there_;
};

using namespace std::string_literals;

TEST_F(ChannelTest, MessagesAreSeparatedHoweverTheyWereWritten) {
  write_raw("{\"a\":1}\0{\"b\""s);
  EXPECT_EQ(must(receive()), "{\"a\":1}");
  EXPECT_TRUE(here_.has_more());
  write_raw(":2}\0"s);
  EXPECT_EQ(must(receive()), "{\"b\":2}");
  EXPECT_FALSE(here_.has_more());
}

TEST_F(ChannelTest, AnEndBetweenMessagesIsNoError) {
  write_raw("x\0"s);
  there_.reset();
  EXPECT_EQ(must(receive()), "x");
  EXPECT_EQ(must(receive()), std::nullopt);
}

TEST_F(ChannelTest, AnEndWithinAMessageIsAnError) {
  write_raw("half");
  there_.reset();
  EXPECT_TRUE(fails_with(receive(), EPROTO));
}

TEST_F(ChannelTest, AMessageThatIsTooLongIsAnError) {
  const std::string most(kLongestMessage - 1, 'x');
  write_raw(most + "\0"s);
  EXPECT_EQ(must(receive()), most);
  write_raw(most + "x\0"s);
  EXPECT_TRUE(fails_with(receive(), EMSGSIZE));
}

TEST_F(ChannelTest, WaitingForASilentOrSlowPeerTimesOut) {
  EXPECT_TRUE(fails_with(here_.receive(kShort, kLong), ETIMEDOUT));
  write_raw("begun");
  EXPECT_TRUE(fails_with(here_.receive(kLong, kShort), ETIMEDOUT));
}

TEST_F(ChannelTest, DescriptorsArriveWithAMessage) {
  test::TempDirectory directory;
  test::write_text(directory / "file", "content");
  const Fd file(::open((directory / "file").c_str(), O_RDONLY | O_CLOEXEC));
  Channel other(Fd(there_.release()), Descriptors::refuse);
  EXPECT_TRUE(succeeded(other.send("take this", {file.get(), file.get()}, kLong)));
  EXPECT_EQ(must(receive()), "take this");
  auto received = here_.take_descriptors();
  ASSERT_EQ(received.size(), 2U);
  char bytes[8] = {};
  EXPECT_EQ(::pread(received[1].get(), bytes, sizeof bytes, 0), 7);
  EXPECT_EQ(::fcntl(received[0].get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  EXPECT_TRUE(here_.take_descriptors().empty());
}

TEST_F(ChannelTest, TooManyDescriptorsAreAnError) {
  const std::vector<int> many(kMostDescriptors, STDIN_FILENO);
  Channel other(Fd(there_.release()), Descriptors::refuse);
  EXPECT_TRUE(succeeded(other.send("a", many, kLong)));
  EXPECT_EQ(must(receive()), "a");
  EXPECT_TRUE(succeeded(other.send("b", {STDIN_FILENO}, kLong)));
  EXPECT_TRUE(fails_with(receive(), EPROTO));
}

TEST_F(ChannelTest, LosingDescriptorsIsAnError) {
  // The kernel drops what does not fit into the receiver's buffer, and only says so.
  constexpr std::size_t kTooMany = kMostDescriptors + 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kTooMany)] = {};
  char bytes[] = "a";
  iovec data{bytes, sizeof bytes};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  auto* part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int) * kTooMany);  // each is descriptor 0, because `control` is all zeros
  ASSERT_EQ(::sendmsg(there_.get(), &header, MSG_NOSIGNAL), static_cast<ssize_t>(sizeof bytes));
  EXPECT_TRUE(fails_with(receive(), EPROTO));
}

TEST_F(ChannelTest, RefusedDescriptorsAreClosed) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  Channel other(Fd(there_.release()), Descriptors::refuse);
  EXPECT_TRUE(succeeded(here_.send("with a pipe", {writer.get()}, kLong)));
  writer.reset();
  EXPECT_EQ(must(other.receive(kLong, kLong)), "with a pipe");
  char byte = 0;
  EXPECT_EQ(::read(reader.get(), &byte, 1), 0) << "the other end of the pipe must be closed";
}

TEST_F(ChannelTest, SendingToAPeerThatDoesNotReadTimesOut) {
  const std::string large(4 << 20, 'x');
  EXPECT_TRUE(fails_with(here_.send(large, {}, kShort), ETIMEDOUT));
}

TEST_F(ChannelTest, SendingToAClosedPeerIsAnErrorAndNoSignal) {
  there_.reset();
  EXPECT_TRUE(fails_with(here_.send("x", {}, kLong), EPIPE));
}

}  // namespace
}  // namespace isolate::wire
