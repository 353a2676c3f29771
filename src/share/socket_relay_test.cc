#include "share/socket_relay.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process_testing.h"
#include "linux/socket.h"

namespace isolate {
namespace {

using test::must;
using test::verify;

constexpr auto kMoment = std::chrono::milliseconds(100);

// A socket of the host, one of the guest, and a relay between them.
class World {
 public:
  explicit World(RelayOptions options = {}) : directory_(open_directory()), relay_(make(std::move(options))) {}

  Fd client() const {
    auto socket = connect_stream(files_ / "guest");
    while (!socket && socket.error().code() == EAGAIN) {
      std::this_thread::sleep_for(kMoment / 100);
      socket = connect_stream(files_ / "guest");
    }
    auto connected = must(std::move(socket));
    ::fcntl(connected.get(), F_SETFL, 0);
    return connected;
  }
  Fd server() const {
    if (!test::is_readable(host_.get())) throw std::runtime_error("the relay does not connect");
    Fd socket(::accept4(host_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return socket;
  }
  bool has_connection() const {
    pollfd state{host_.get(), POLLIN, 0};
    return ::poll(&state, 1, 100) == 1;
  }
  pid_t pid() const { return relay_->pid(); }
  void signal(int number) const { ::kill(pid(), number); }
  void end() { relay_.reset(); }
  void stop_listening() { host_.reset(); }

  std::vector<std::string> descriptors() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid()) + "/fd")) {
      found.push_back(std::filesystem::read_symlink(entry.path()));
    }
    return found;
  }
  // In ticks of the clock, of which there are 100 in a second.
  long processor_time() const {
    const auto line = test::read_text("/proc/" + std::to_string(pid()) + "/stat");
    std::istringstream fields(line.substr(line.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    long user = 0;
    long system = 0;
    fields >> user >> system;
    return user + system;
  }

 private:
  Fd open_directory() const { return must(open_file(AT_FDCWD, files_.path(), O_PATH | O_DIRECTORY)); }
  std::unique_ptr<SocketRelay> make(RelayOptions options) {
    host_ = must(listen_in(directory_, "host", SocketKind::stream));
    auto relay = std::make_unique<SocketRelay>(must(SocketRelay::start(files_ / "host", std::move(options))));
    must(relay->serve(must(listen_in(directory_, "guest", SocketKind::stream))));
    return relay;
  }
  test::TempDirectory files_;
  Fd directory_;
  Fd host_;
  std::unique_ptr<SocketRelay> relay_;
};

void send_text(const Fd& socket, std::string_view text) {
  ASSERT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

bool send_descriptors(const Fd& socket, std::string text, std::size_t count, int number = STDIN_FILENO, int flags = 0) {
  const std::vector<int> numbers(count, number);
  std::vector<char> space(CMSG_SPACE(sizeof(int) * count));
  iovec data{text.data(), text.size()};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = space.data();
  header.msg_controllen = space.size();
  auto* control = CMSG_FIRSTHDR(&header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof(int) * count);
  std::memcpy(CMSG_DATA(control), numbers.data(), sizeof(int) * count);
  return ::sendmsg(socket.get(), &header, MSG_NOSIGNAL | flags) == static_cast<ssize_t>(text.size());
}

struct Received {
  std::string text;
  std::vector<Fd> descriptors;
};

// Makes one call, as a program does that reads its messages one by one.
Received receive(const Fd& socket, std::size_t most) {
  Received received;
  if (!test::is_readable(socket.get())) throw std::runtime_error("nothing arrives");
  received.text.resize(most);
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int) * kMostInMessage)];
  iovec data{received.text.data(), most};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = space;
  header.msg_controllen = sizeof space;
  const auto got = ::recvmsg(socket.get(), &header, MSG_CMSG_CLOEXEC);
  received.text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  for (auto* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
    for (std::size_t i = 0; i < (control->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(control) + i * sizeof number, sizeof number);
      received.descriptors.emplace_back(number);
    }
  }
  return received;
}

std::string receive_all(const Fd& socket) {
  std::string all;
  for (std::string part; !(part = receive(socket, 65536).text).empty();) all += part;
  return all;
}

// Whether the peer has closed its socket.
bool is_closed(const Fd& socket) {
  pollfd state{socket.get(), 0, 0};
  return ::poll(&state, 1, test::kPatience) == 1 && (state.revents & POLLHUP) != 0;
}

// Sends until nobody takes any more; returns the number of bytes.
std::size_t fill(const Fd& socket) {
  const std::string text(4096, 'x');
  std::size_t sent = 0;
  for (int idle = 0; idle < 5;) {
    const auto count = ::send(socket.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    idle = count < 0 ? idle + 1 : 0;
    if (count > 0) sent += static_cast<std::size_t>(count);
    if (count < 0) std::this_thread::sleep_for(kMoment / 5);
  }
  return sent;
}

TEST(SocketRelayTest, BytesPassInBothDirections) {
  const World world;
  const auto client = world.client();
  const auto server = world.server();
  send_text(client, "question");
  EXPECT_EQ(receive(server, 100).text, "question");
  send_text(server, "answer");
  EXPECT_EQ(receive(client, 100).text, "answer");
}

TEST(SocketRelayTest, ManyBytesArriveInOrder) {
  const World world;
  const auto client = world.client();
  const auto server = world.server();
  std::string text;
  for (int i = 0; text.size() < 3'000'000; ++i) text += std::to_string(i) + ' ';
  std::thread sender([&] {
    send_text(client, text);
    ::shutdown(client.get(), SHUT_WR);
  });
  EXPECT_TRUE(receive_all(server) == text);
  sender.join();
}

// GDBus and sd-bus look for the descriptors of a message in the calls with which they read that very message.
TEST(SocketRelayTest, DescriptorsArriveWithTheByteThatTheyWereSentWith) {
  const World world;
  const auto client = world.client();
  const auto server = world.server();
  world.signal(SIGSTOP);  // so that the relay finds everything at once
  send_text(client, "be");
  send_text(client, "fore");
  ASSERT_TRUE(send_descriptors(client, "with", 2));
  send_text(client, "after");
  ASSERT_TRUE(send_descriptors(client, "again", 1));
  world.signal(SIGCONT);
  std::this_thread::sleep_for(kMoment);
  const auto before = receive(server, sizeof "before" - 1);
  EXPECT_EQ(before.text, "before");
  EXPECT_TRUE(before.descriptors.empty());
  const auto with = receive(server, 100);
  EXPECT_EQ(with.text, "with");
  EXPECT_EQ(with.descriptors.size(), 2U);
  const auto after = receive(server, sizeof "after" - 1);
  EXPECT_EQ(after.text, "after");
  EXPECT_TRUE(after.descriptors.empty());
  EXPECT_EQ(receive(server, 100).descriptors.size(), 1U);
}

TEST(SocketRelayTest, DescriptorsReferToTheSameFilesInBothDirections) {
  const World world;
  const auto client = world.client();
  const auto server = world.server();
  const test::Pipe pipe;
  ASSERT_TRUE(send_descriptors(server, "x", 1, pipe.write.get()));
  const auto received = receive(client, 10);
  ASSERT_EQ(received.descriptors.size(), 1U);
  must(write_all(received.descriptors[0].get(), "y", "pipe"));
  EXPECT_TRUE(test::is_readable(pipe.read.get()));
}

TEST(SocketRelayTest, AMessageMayHaveAsManyDescriptorsAsTheKernelAllows) {
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

TEST(SocketRelayTest, EachDirectionEndsByItself) {
  const World world;
  const auto client = world.client();
  const auto server = world.server();
  send_text(client, "question");
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(receive_all(server), "question");
  send_text(server, "answer");
  EXPECT_EQ(receive(client, 100).text, "answer");
  ::shutdown(server.get(), SHUT_WR);
  EXPECT_EQ(receive_all(client), "");
  EXPECT_TRUE(is_closed(client));
  EXPECT_TRUE(is_closed(server));
}

TEST(SocketRelayTest, TheLastWordsOfAServerThatDoesNotReadArrive) {
  const World world;
  const auto client = world.client();
  {
    const auto server = world.server();
    send_text(client, "question");
    ASSERT_TRUE(test::is_readable(server.get()));
    send_text(server, "no");
  }
  EXPECT_EQ(receive_all(client), "no");
  EXPECT_TRUE(is_closed(client));
  EXPECT_LT(::send(client.get(), "x", 1, MSG_NOSIGNAL), 0);
}

TEST(SocketRelayTest, WhatAClientHasSentBeforeItClosesArrives) {
  const World world;
  {
    const auto client = world.client();
    send_text(client, "signal");
  }
  const auto server = world.server();
  EXPECT_EQ(receive_all(server), "signal");
  EXPECT_TRUE(is_closed(server));
}

TEST(SocketRelayTest, AServerSeesThatAClientEndsAfterItsLastWord) {
  const World world;
  auto client = world.client();
  const auto server = world.server();
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(receive_all(server), "");
  client.reset();
  EXPECT_TRUE(is_closed(server));
}

TEST(SocketRelayTest, ASenderWaitsForAReceiverThatDoesNotRead) {
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

TEST(SocketRelayTest, AClientThatClosesWhileTheServerDoesNotReadCostsNoTime) {
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

TEST(SocketRelayTest, ConnectionsBeyondTheLimitWaitUntilOthersEnd) {
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

TEST(SocketRelayTest, AFloodOfConnectionsIsServed) {
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
TEST(SocketRelayTest, DescriptorsThatNobodyTakesDoNotUseUpTheRelaysOwn) {
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

TEST(SocketRelayTest, AClientIsClosedWhenNobodyListensOnTheHost) {
  World world;
  world.stop_listening();
  const auto client = world.client();
  EXPECT_EQ(receive_all(client), "");
  EXPECT_TRUE(is_closed(client));
}

TEST(SocketRelayTest, AServerThatAcceptsNobodyIsAskedAgain) {
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

TEST(SocketRelayTest, WhatClientsHaveSentArrivesAfterTheRunHasEnded) {
  World world;
  world.signal(SIGSTOP);
  for (int i = 0; i < 10; ++i) send_text(world.client(), "signal");
  world.signal(SIGCONT);
  world.end();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(receive_all(world.server()), "signal");
}

TEST(SocketRelayTest, AtTheEndOfTheRunItWaitsForNobodyElse) {
  World world;
  const auto client = world.client();
  const auto server = world.server();
  const auto begin = std::chrono::steady_clock::now();
  world.end();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_TRUE(is_closed(client));
  EXPECT_TRUE(is_closed(server));
}

TEST(SocketRelayTest, ItHoldsNoDescriptorsOfIsolate) {
  const World world;
  const auto client = world.client();
  const auto server = world.server();
  send_text(client, "x");
  EXPECT_EQ(receive(server, 1).text, "x");
  auto descriptors = world.descriptors();
  std::erase_if(descriptors, [](const std::string& name) {
    return name == "/dev/null" || name.starts_with("socket:") || name == "anon_inode:[eventpoll]";
  });
  EXPECT_TRUE(descriptors.empty()) << descriptors[0];
  EXPECT_EQ(world.descriptors().size(), 8U);  // 3 standard streams, control, epoll, the listening socket, 2 ends
}

TEST(SocketRelayTest, ItDiesWithItsParent) {
  test::TempDirectory files;
  const auto directory = must(open_file(AT_FDCWD, files.path(), O_PATH | O_DIRECTORY));
  const auto host = must(listen_in(directory, "host", SocketKind::stream));
  auto guest = must(listen_in(directory, "guest", SocketKind::stream));
  auto parent = must(fork_child(0, [&] {
    const auto relay = SocketRelay::start(files / "host");
    return relay && relay->serve(guest) ? test::pause_for_good() : 1;
  }));
  guest.reset();
  const auto client = must(connect_stream(files / "guest"));
  ASSERT_TRUE(test::is_readable(host.get()));
  parent.kill_and_reap();
  EXPECT_TRUE(is_closed(client));
}

TEST(SocketRelayTest, TheTargetMayBeAbstractOrHaveALongPath) {
  test::TempDirectory files;
  const auto directory = must(open_file(AT_FDCWD, files.path(), O_PATH | O_DIRECTORY));
  const std::string name = "@isolate-test-" + std::to_string(::getpid());
  auto address = must(unix_address(name));
  address.sun_path[0] = 0;
  const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  const auto to_abstract = must(SocketRelay::start(name));
  must(to_abstract.serve(must(listen_in(directory, "a", SocketKind::stream))));
  const auto first = must(connect_stream(files / "a"));
  EXPECT_TRUE(test::is_readable(listener.get()));

  const auto deep = files / (std::string(100, 'x') + "/" + std::string(100, 'y'));
  must(make_directories(deep, 0700));
  const auto deep_directory = must(open_file(AT_FDCWD, deep, O_PATH | O_DIRECTORY));
  const auto host = must(listen_in(deep_directory, "host", SocketKind::stream));
  const auto to_deep = must(SocketRelay::start(deep + "/host"));
  must(to_deep.serve(must(listen_in(directory, "b", SocketKind::stream))));
  const auto second = must(connect_stream(files / "b"));
  EXPECT_TRUE(test::is_readable(host.get()));
}

TEST(SocketRelayTest, PrepareNamesTheTargetOrFails) {
  test::TempDirectory files;
  const auto directory = must(open_file(AT_FDCWD, files.path(), O_PATH | O_DIRECTORY));
  const auto host = must(listen_in(directory, "host", SocketKind::stream));
  RelayOptions options;
  options.prepare = [&](std::vector<Fd> further) -> Result<std::string> {
    if (further.size() != 1) return fail("descriptors are missing");
    return files / "host";
  };
  const auto relay = must(SocketRelay::start("", options));
  must(relay.serve(must(listen_in(directory, "a", SocketKind::stream)), {STDIN_FILENO}));
  const auto client = must(connect_stream(files / "a"));
  EXPECT_TRUE(test::is_readable(host.get()));
  const auto other = must(SocketRelay::start("", options));
  EXPECT_EQ(test::message_of(other.serve(must(listen_in(directory, "b", SocketKind::stream)))),
            "descriptors are missing");
}

// Replaces the first line.
class LineEditor : public OpeningEditor {
 public:
  Result<std::string> edit(std::string_view bytes) override {
    held_ += bytes;
    const auto end = held_.find('\n');
    if (end == std::string::npos) return std::string();
    is_finished_ = true;
    return "other" + held_.substr(end);
  }
  std::string see_answer(std::string_view /*bytes*/) override { return ""; }
  bool awaits_answer() const override { return false; }
  bool is_finished() const override { return is_finished_; }

 private:
  std::string held_;
  bool is_finished_ = false;
};

RelayOptions with_editor() {
  RelayOptions options;
  options.make_editor = [] { return std::make_unique<LineEditor>(); };
  return options;
}

TEST(SocketRelayTest, AnEditorChangesTheBeginningOfEachConnection) {
  const World world(with_editor());
  for (int i = 0; i < 2; ++i) {
    const auto client = world.client();
    const auto server = world.server();
    send_text(client, "one ");
    std::this_thread::sleep_for(kMoment);
    send_text(client, "line\nand more\n");
    EXPECT_EQ(receive(server, 100).text, "other\nand more\n");
    send_text(client, "one line\n");
    EXPECT_EQ(receive(server, 100).text, "one line\n");
    send_text(server, "answer\n");
    EXPECT_EQ(receive(client, 100).text, "answer\n");
  }
}

TEST(SocketRelayTest, DescriptorsInAnEditedBeginningCloseTheConnection) {
  const World world(with_editor());
  const auto client = world.client();
  const auto server = world.server();
  ASSERT_TRUE(send_descriptors(client, "x", 1));
  EXPECT_EQ(receive_all(server), "");
  EXPECT_TRUE(is_closed(client));
}

}  // namespace
}  // namespace isolate
