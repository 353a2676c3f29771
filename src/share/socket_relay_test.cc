#include "share/socket_relay.h"

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
#include "share/socket_relay_testing.h"

namespace isolate {
namespace {

using test::is_closed;
using test::kMoment;
using test::must;
using test::receive;
using test::receive_all;
using test::send_descriptors;
using test::send_text;
using test::World;

TEST(SocketRelayTest, BytesPassInBothDirections) {
  const World world;
  const auto client = world.client();
  const auto server = world.server();
  send_text(client, "question");
  EXPECT_EQ(receive(server, 100).text, "question");
  send_text(server, "answer");
  EXPECT_EQ(receive(client, 100).text, "answer");
}

TEST(SocketRelayTest, AHostThatIsNotTrustedGetsNothing) {
  RelayOptions options;
  options.trusts_host = [](int /*connection*/) { return false; };
  const World world(std::move(options));
  const auto client = world.client();
  const auto server = world.server();
  ::send(client.get(), "secret", 6, MSG_NOSIGNAL);
  EXPECT_TRUE(is_closed(client));
  EXPECT_EQ(receive(server, 100).text, "");
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

TEST(SocketRelayTest, AClientIsClosedWhenNobodyListensOnTheHost) {
  World world;
  world.stop_listening();
  const auto client = world.client();
  EXPECT_EQ(receive_all(client), "");
  EXPECT_TRUE(is_closed(client));
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
