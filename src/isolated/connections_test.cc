#include "isolated/connections.h"

#include <poll.h>
#include <sys/socket.h>

#include <thread>

#include "base/testing.h"
#include "isolated/peer.h"
#include "linux/idmap.h"

namespace isolate {
namespace {

using std::chrono::milliseconds;
using test::must;

class ConnectionsTest : public ::testing::Test {
 protected:
  ConnectionsTest() : connections_(directory_.path(), 0, must(Arrivals::make())) {}
  void SetUp() override { REQUIRE_ROOT(); }

  // Returns the client's end of a connection of root.
  Fd connect() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("socketpair");
    connections_.add(Fd(ends[1]));
    return Fd(ends[0]);
  }
  // Returns a connection that has sent a request and may send more.
  Fd ask() {
    constexpr std::string_view kRequest("{\"method\":\"org.varlink.service.GetInfo\"}\0", 41);
    auto ours = connect();
    EXPECT_EQ(::write(ours.get(), kRequest.data(), kRequest.size()), static_cast<ssize_t>(kRequest.size()));
    return ours;
  }
  // Returns a connection of another user in the group of members.
  Fd connect_as(uid_t uid) {
    const gid_t group = local_group_id(kGroupOfMembers).value_or(0);
    if (::setegid(group) != 0 || ::seteuid(uid) != 0) throw std::runtime_error("seteuid");
    auto ours = connect();
    if (::seteuid(0) != 0 || ::setegid(0) != 0) throw std::runtime_error("seteuid");
    return ours;
  }
  static bool is_closed(const Fd& end) {
    pollfd source{end.get(), POLLIN, 0};
    char byte = 0;
    return ::poll(&source, 1, 0) == 1 && ::read(end.get(), &byte, 1) <= 0;
  }
  bool collect_until(std::size_t children) {
    for (int i = 0; i < 500; ++i) {
      connections_.collect();
      if (connections_.children().size() == children) return true;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return false;
  }

  test::TempDirectory directory_;
  Connections connections_;
};

TEST_F(ConnectionsTest, OnlySomeConnectionsOfAUserAreServedAndTheOthersWait) {
  std::vector<Fd> ours;
  for (std::size_t i = 0; i < Connections::kServedOfUser + 2; ++i) ours.push_back(ask());
  connections_.serve_waiting();
  EXPECT_EQ(connections_.children().size(), Connections::kServedOfUser);
  ours[0].reset();
  ASSERT_TRUE(collect_until(Connections::kServedOfUser - 1));
  connections_.serve_waiting();
  EXPECT_EQ(connections_.children().size(), Connections::kServedOfUser);
  ours.clear();
  ASSERT_TRUE(collect_until(0));
  connections_.serve_waiting();
  ASSERT_TRUE(collect_until(0));
  EXPECT_TRUE(connections_.is_idle());
}

TEST_F(ConnectionsTest, ConnectionsBeyondTheLimitAreClosed) {
  std::vector<Fd> ours;
  for (std::size_t i = 0; i < Connections::kWaitingOfUser; ++i) ours.push_back(connect());
  EXPECT_FALSE(is_closed(ours.back()));
  EXPECT_TRUE(is_closed(connect()));
  connections_.drop_waiting();
  EXPECT_TRUE(is_closed(ours.front()));
}

TEST_F(ConnectionsTest, AFewUsersCanNotShutOutTheOthers) {
  std::vector<Fd> theirs;
  for (const uid_t uid : {61001U, 61002U}) {
    for (std::size_t i = 0; i < Connections::kWaitingOfUser; ++i) theirs.push_back(connect_as(uid));
  }
  const auto third = connect_as(61003);
  const auto fourth = connect();
  EXPECT_FALSE(is_closed(third));
  EXPECT_FALSE(is_closed(fourth));
  EXPECT_EQ(std::count_if(theirs.begin(), theirs.end(), is_closed), 2);
  EXPECT_TRUE(is_closed(connect_as(61001)));
}

TEST_F(ConnectionsTest, AnIncompleteRequestCostsNoProcess) {
  constexpr std::string_view kHalf = "{\"method\":";
  const auto silent = connect();
  auto half = connect();
  ASSERT_EQ(::write(half.get(), kHalf.data(), kHalf.size()), static_cast<ssize_t>(kHalf.size()));
  ask().reset();
  connections_.serve_waiting();
  EXPECT_TRUE(connections_.children().empty());
  EXPECT_LE(connections_.next() - Connections::Clock::now(), Arrivals::kMostForRequest);
  // The rest of the request arrives.
  ASSERT_EQ(::write(half.get(), "\"x.Y\"}", 7), 7);
  connections_.serve_waiting();
  EXPECT_EQ(connections_.children().size(), 1U);
  // The rest of the request can't arrive any more.
  const auto never = connect();
  ASSERT_EQ(::write(never.get(), kHalf.data(), kHalf.size()), static_cast<ssize_t>(kHalf.size()));
  ::shutdown(never.get(), SHUT_WR);
  connections_.serve_waiting();
  EXPECT_TRUE(is_closed(never));
  EXPECT_FALSE(is_closed(silent));
}

TEST_F(ConnectionsTest, TheEndOfAServiceIsNoticedAtOnce) {
  auto ours = ask();
  connections_.serve_waiting();
  const auto left = connections_.next() - Connections::Clock::now();
  EXPECT_GT(left, Connections::kLongestService - std::chrono::seconds(60));
  EXPECT_LE(left, Connections::kLongestService);
  pollfd end{connections_.children().at(0), POLLIN, 0};
  EXPECT_EQ(::poll(&end, 1, 0), 0);
  ours.reset();
  EXPECT_EQ(::poll(&end, 1, 10'000), 1);
  EXPECT_TRUE(collect_until(0));
  EXPECT_EQ(connections_.next(), Connections::Clock::time_point::max());
}

}  // namespace
}  // namespace isolate
