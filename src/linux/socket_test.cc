#include "linux/socket.h"

#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process.h"

namespace isolate {
namespace {

using test::must;

std::pair<Fd, Fd> socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("socketpair");
  return {Fd(ends[0]), Fd(ends[1])};
}

TEST(SocketTest, TheDirectoryOfASocketMayHaveALongPath) {
  const test::TempDirectory directory;
  std::string path = directory.path();
  for (int i = 0; i < 4; ++i) path += "/" + std::string(60, 'x');
  must(make_directories(path, 0700));
  const auto opened = must(open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY));
  const auto listener = must(listen_in(opened, "name"));
  EXPECT_TRUE(test::exists(path + "/name"));
  EXPECT_TRUE(test::succeeded(connect_in(opened, "name")));
  EXPECT_TRUE(test::fails_with(listen_in(opened, "name"), EEXIST));
  EXPECT_TRUE(test::fails_with(connect_in(opened, "other"), ENOENT));
  EXPECT_TRUE(test::fails_with(listen_in(opened, std::string(200, 'y')), ENAMETOOLONG));
}

// A client that is refused takes the listener for dead, and removes its socket.
TEST(SocketTest, ANameAppearsOnlyWhenTheSocketListens) {
  constexpr int kRounds = 500;
  const test::TempDirectory directory;
  const auto opened = must(open_file(AT_FDCWD, directory.path(), O_RDONLY | O_DIRECTORY));
  std::atomic<bool> is_over = false;
  std::atomic<int> refused = 0;
  std::thread client([&] {
    while (!is_over) {
      const auto connection = connect_in(opened, "name");
      if (!connection && connection.error().code() == ECONNREFUSED) ++refused;
    }
  });
  std::vector<Fd> listeners;  // kept, because a client may have found one and connect later
  for (int i = 0; i < kRounds; ++i) {
    auto listener = listen_in(opened, "name");
    ::unlinkat(opened.get(), "name", 0);
    if (!listener) ADD_FAILURE() << listener.error().message();
    if (listener) listeners.push_back(std::move(*listener));
  }
  is_over = true;
  client.join();
  EXPECT_EQ(refused, 0);
  EXPECT_TRUE(must(list_directory(opened.get(), ".")).empty());
}

TEST(SocketTest, ConnectingToAClosedListenerIsRefused) {
  const test::TempDirectory directory;
  const auto opened = must(open_file(AT_FDCWD, directory.path(), O_RDONLY | O_DIRECTORY));
  { const auto listener = must(listen_in(opened, "name")); }
  EXPECT_TRUE(test::fails_with(connect_in(opened, "name"), ECONNREFUSED));
}

TEST(SocketTest, AMessageArrivesWholeWithItsDescriptors) {
  const auto [here, there] = socket_pair();
  EXPECT_TRUE(test::fails_with(receive_message(there.get(), 100), EAGAIN));
  must(send_message(here.get(), "text", {0, 1}));
  auto received = must(receive_message(there.get(), 100));
  EXPECT_EQ(received.bytes, "text");
  EXPECT_EQ(received.descriptors.size(), 2U);
  EXPECT_EQ(::fcntl(received.descriptors[0].get(), F_GETFD), FD_CLOEXEC);
}

TEST(SocketTest, AMessageThatIsTooLongIsAnError) {
  const auto [here, there] = socket_pair();
  must(send_message(here.get(), "12345", {0}));
  EXPECT_TRUE(test::fails_with(receive_message(there.get(), 4), EMSGSIZE));
  EXPECT_TRUE(test::fails_with(send_message(here.get(), "x", std::vector<int>(kMostPassed + 1, 0)), EINVAL));
}

TEST(SocketTest, SendingToAFullSocketFailsWithoutWaiting) {
  const auto [here, there] = socket_pair();
  Result<void> sent;
  for (int i = 0; sent && i < 100000; ++i) sent = send_message(here.get(), "x");
  EXPECT_TRUE(test::fails_with(sent, EAGAIN));
}

TEST(SocketTest, OnlyALivingPeerInTheSamePidNamespaceSharesIt) {
  REQUIRE_ROOT();
  const test::TempDirectory directory;
  const auto opened = must(open_file(AT_FDCWD, directory.path(), O_RDONLY | O_DIRECTORY));
  const auto listener = must(listen_in(opened, "name"));
  for (const std::uint64_t namespaces : {std::uint64_t{0}, std::uint64_t{CLONE_NEWPID}}) {
    auto child = must(fork_child(namespaces, [&] {
      const auto connection = connect_in(opened, "name");
      return connection ? ::pause() : 1;
    }));
    pollfd ready{listener.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&ready, 1, 5000), 1);
    const Fd connection(::accept(listener.get(), nullptr, nullptr));
    const auto peer = must(socket_peer(connection.get()));
    EXPECT_EQ(peer.pid, child.pid());
    EXPECT_EQ(peer.uid, ::getuid());
    EXPECT_EQ(shares_pid_namespace(connection.get(), peer), namespaces == 0);
    child.kill_and_reap();
    EXPECT_FALSE(shares_pid_namespace(connection.get(), peer)) << "it has ended";
  }
}

}  // namespace
}  // namespace isolate
