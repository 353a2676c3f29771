// What a hostile guest does to a relay.
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <thread>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process_testing.h"
#include "linux/socket.h"
#include "share/socket_relay.h"
#include "share/socket_relay_testing.h"

namespace isolate {
namespace {

using test::fill;
using test::is_closed;
using test::kMoment;
using test::receive;
using test::receive_all;
using test::send_descriptors;
using test::send_text;
using test::verify;
using test::World;

TEST(SocketRelayFloodTest, AMessageMayHaveAsManyDescriptorsAsTheKernelAllows) {
  const World world;
  const auto client = world.client();
  const auto server = world.server();
  ASSERT_TRUE(send_descriptors(client, "x", kMostInMessage));
  EXPECT_EQ(receive(server, 10).descriptors.size(), kMostInMessage);
  const Fd path(::open("/", O_PATH | O_CLOEXEC));
  const Fd pidfd = own_pidfd();
  for (const int odd : {path.get(), pidfd.get(), client.get(), server.get()}) {
    ASSERT_TRUE(send_descriptors(client, "x", 1, odd));
    EXPECT_EQ(receive(server, 10).descriptors.size(), 1U);
  }
}

TEST(SocketRelayFloodTest, ASenderWaitsForAReceiverThatDoesNotRead) {
  const World world;
  const auto client = world.client();
  const auto server = world.server();
  const auto sent = fill(client);
  EXPECT_GT(sent, 65536U);
  EXPECT_LT(sent, 2'000'000U);
  const auto before = world.processor_time();
  std::this_thread::sleep_for(3 * kMoment);
  EXPECT_LE(world.processor_time() - before, 2) << "the relay does not wait, it turns";
  // The other direction and other connections go on.
  send_text(server, "answer");
  EXPECT_EQ(receive(client, 100).text, "answer");
  const auto other = world.client();
  const auto others_server = world.server();
  send_text(other, "hello");
  EXPECT_EQ(receive(others_server, 100).text, "hello");
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(receive_all(server).size(), sent);
}

TEST(SocketRelayFloodTest, AClientThatClosesWhileTheServerDoesNotReadCostsNoTime) {
  const World world;
  auto client = world.client();
  const auto server = world.server();
  const auto sent = fill(client);
  client.reset();
  std::this_thread::sleep_for(kMoment);
  const auto before = world.processor_time();
  std::this_thread::sleep_for(3 * kMoment);
  EXPECT_LE(world.processor_time() - before, 2) << "the relay does not wait, it turns";
  EXPECT_EQ(receive_all(server).size(), sent);
  EXPECT_TRUE(is_closed(server));
}

TEST(SocketRelayFloodTest, ConnectionsBeyondTheLimitWaitUntilOthersEnd) {
  RelayOptions options;
  options.most_connections = 2;
  const World world(std::move(options));
  std::vector<Fd> clients;
  std::vector<Fd> servers;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(world.client());
    send_text(clients.back(), std::to_string(i));
  }
  for (int i = 0; i < 2; ++i) servers.push_back(world.server());
  EXPECT_FALSE(world.has_connection());
  const auto before = world.processor_time();
  std::this_thread::sleep_for(3 * kMoment);
  EXPECT_LE(world.processor_time() - before, 2) << "the relay does not wait, it turns";
  clients.erase(clients.begin());
  EXPECT_EQ(receive_all(servers[0]), "0");
  servers.erase(servers.begin());
  servers.push_back(world.server());
  EXPECT_EQ(receive(servers[1], 1).text, "2");
}

TEST(SocketRelayFloodTest, UrgentDataCostsNoTime) {
  const World world;
  const auto client = world.client();
  const auto server = world.server();
  for (int i = 0; i < 3; ++i) ASSERT_EQ(::send(client.get(), "!", 1, MSG_OOB), 1);
  std::this_thread::sleep_for(kMoment);
  const auto before = world.processor_time();
  std::this_thread::sleep_for(3 * kMoment);
  EXPECT_LE(world.processor_time() - before, 2) << "the relay does not wait, it turns";
  ASSERT_EQ(::send(client.get(), "!", 1, MSG_OOB), 1);
  send_text(client, "text");
  ASSERT_TRUE(send_descriptors(client, "x", 2));
  std::string text;
  std::size_t descriptors = 0;
  while (!text.ends_with('x')) {
    const auto received = receive(server, 100);
    text += received.text;
    descriptors += received.descriptors.size();
  }
  EXPECT_TRUE(text.ends_with("textx")) << text;
  EXPECT_EQ(descriptors, 2U);
}

TEST(SocketRelayFloodTest, AFloodOfConnectionsIsServed) {
  const World world;
  for (int i = 0; i < 500; ++i) {
    const auto client = world.client();
    if (i % 100 == 0) send_text(client, "x");
    const auto server = world.server();
  }
  std::this_thread::sleep_for(kMoment);
  // Standard streams, control, the listening socket and epoll are left.
  EXPECT_LE(world.descriptors().size(), 6U);
}

// The relay has room for the descriptors of one message only, and three clients fill their servers' sockets with them.
// Meanwhile no other process of the same user can send descriptors, unless it has CAP_SYS_ADMIN.
TEST(SocketRelayAloneTest, DescriptorsThatNobodyTakesDoNotUseUpTheRelaysOwn) {
  test::in_child([]() -> Result<void> {
    const rlimit limit{1024, 1024};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return fail(errno, "setrlimit");
    const World world;
    std::vector<Fd> clients;
    std::vector<Fd> servers;
    for (int i = 0; i < 3; ++i) {
      clients.push_back(world.client());
      servers.push_back(world.server());
    }
    for (int round = 0; round < 2000; ++round) {
      for (const auto& client : clients) send_descriptors(client, "x", kMostInMessage, STDIN_FILENO, MSG_DONTWAIT);
    }
    std::this_thread::sleep_for(kMoment);
    TRY_VOID(verify(world.descriptors().size() < 1024 - 100, "the relay has descriptors left"));
    const auto before = world.processor_time();
    std::this_thread::sleep_for(3 * kMoment);
    TRY_VOID(verify(world.processor_time() - before <= 2, "the relay waits"));
    // A connection without descriptors goes on, and one with descriptors when the others are gone.
    const auto other = world.client();
    const auto others_server = world.server();
    TRY_VOID(verify(::send(other.get(), "x", 1, MSG_NOSIGNAL) == 1, "the client can send"));
    TRY_VOID(verify(receive(others_server, 1).text == "x", "the byte arrives"));
    TRY_VOID(verify(send_descriptors(other, "y", 3), "the client can send descriptors"));
    clients.clear();
    servers.clear();
    return verify(receive(others_server, 1).descriptors.size() == 3, "the descriptors arrive");
  });
}

TEST(SocketRelayFloodTest, AServerThatAcceptsNobodyIsAskedAgain) {
  World world;
  // The queue of the host's socket has room for 129 connections.
  std::vector<Fd> clients;
  for (int i = 0; i < 140; ++i) clients.push_back(world.client());
  std::this_thread::sleep_for(kMoment);
  const auto before = world.processor_time();
  std::this_thread::sleep_for(3 * kMoment);
  EXPECT_LE(world.processor_time() - before, 2) << "the relay does not wait, it turns";
  send_text(clients.back(), "last");
  std::vector<Fd> servers;
  for (int i = 0; i < 140; ++i) servers.push_back(world.server());
  EXPECT_EQ(receive(servers.back(), 10).text, "last");
}

}  // namespace
}  // namespace isolate
