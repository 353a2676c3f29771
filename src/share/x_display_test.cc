#include "share/x_display.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "base/testing.h"
#include "linux/process.h"

namespace isolate {
namespace {

class XDisplayTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/x_display_test.XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    ::setenv("XAUTHORITY", (directory_ + "/authority").c_str(), 1);
  }
  void TearDown() override {
    ::unlink((directory_ + "/authority").c_str());
    ::unlink(path_.c_str());
    ::rmdir(directory_.c_str());
    ::unsetenv("XAUTHORITY");
    ::unsetenv("DISPLAY");
  }

  // A socket that accepts connections, below the test's directory.
  Fd listen_on(const std::string& name) {
    path_ = directory_ + "/" + name;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, path_.size());
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(socket.get(), 1), 0);
    return socket;
  }

  void write_authority(const std::string& content) const {
    std::ofstream(directory_ + "/authority", std::ios::binary) << content;
  }

  std::string directory_;
  std::string path_;
};

const XCookie kCookie = {"MIT-MAGIC-COOKIE-1", std::string("\0\1\2\3\4\5\6\7\x80\xff\n\r789", 15) + 'x'};

TEST_F(XDisplayTest, ParsesTheFormsThatNameADisplayHere) {
  for (const char* text : {":7", ":7.0", "unix:7", "unix:7.12"}) {
    const auto display = parse_display(text);
    ASSERT_TRUE(display) << text;
    EXPECT_EQ(display->number, 7U) << text;
    EXPECT_EQ(display->socket, "/tmp/.X11-unix/X7") << text;
    EXPECT_FALSE(display->is_abstract());
  }
  EXPECT_EQ(parse_display(":65535")->number, 65535U);
}

TEST_F(XDisplayTest, ParsesThePathOfASocketWithAndWithoutAScreen) {
  const auto socket = listen_on("with.dot");
  for (const auto& text : {path_, path_ + ".0", "unix:" + path_, "unix:" + path_ + ".1"}) {
    const auto display = parse_display(text.c_str());
    ASSERT_TRUE(display) << text;
    EXPECT_EQ(display->socket, path_) << text;
    EXPECT_EQ(display->number, 0U);
  }
  EXPECT_FALSE(parse_display((directory_ + "/none").c_str()));
  EXPECT_FALSE(parse_display(directory_.c_str())) << "a directory is no socket";
}

TEST_F(XDisplayTest, RefusesEverythingElse) {
  for (const char* text : {"", "7", "localhost:7", "host.example:0.0", "10.0.0.1:0", "[::1]:0", ":", ":x", ":-1", ":+1",
                           ":1.x", ":1.", ":65536", ":99999999999", "::1", ":1 ", "unix", "inet/host:0"}) {
    EXPECT_FALSE(parse_display(text)) << text;
  }
  EXPECT_FALSE(parse_display(nullptr));
  EXPECT_EQ(parse_display(":1\n").error().message().find('\n'), std::string::npos);
}

TEST_F(XDisplayTest, AnAuthorityFileGivesTheCookieBackForItsDisplay) {
  const auto content = authority_file(12, kCookie);
  ASSERT_TRUE(content);
  write_authority(*content);
  EXPECT_EQ(cookie_for({12, ""}), kCookie);
  EXPECT_EQ(cookie_for({1, ""}), XCookie{});
}

TEST_F(XDisplayTest, MalformedAuthorityFilesHaveNoCookie) {
  EXPECT_EQ(cookie_for({12, ""}), XCookie{}) << "no such file";
  const auto content = authority_file(12, kCookie).value();
  for (std::size_t length = 0; length < content.size(); ++length) {
    write_authority(content.substr(0, length));
    EXPECT_EQ(cookie_for({12, ""}), XCookie{}) << length;
  }
}

// Answers the first client in a child, as a server does, with this status.
ChildProcess answer_with(const Fd& listening, char status) {
  auto child = fork_child(0, [&] {
    const Fd client(::accept(listening.get(), nullptr, nullptr));
    std::array<char, 256> request{};
    if (::read(client.get(), request.data(), request.size()) < 12 || request[0] != 'l') return 1;
    const std::array<char, 8> answer = {status, 0, 11, 0, 0, 0, 0, 0};
    return ::write(client.get(), answer.data(), answer.size()) == 8 ? 0 : 1;
  });
  return std::move(child).value();
}

TEST_F(XDisplayTest, TellsWhetherTheServerAccepts) {
  const auto listening = listen_on("server");
  ::setenv("DISPLAY", path_.c_str(), 1);
  for (const char status : {'\0', '\1', '\2'}) {
    auto server = answer_with(listening, status);
    const auto connection = connect_to_display(Caller::current());
    ASSERT_TRUE(connection) << connection.error().message();
    const auto outcome = check_access(*connection, kCookie);
    EXPECT_EQ(outcome.has_value(), status == '\1');
    const std::string message = outcome ? "refuses the cookie" : outcome.error().message();
    EXPECT_NE(message.find("refuses the cookie"), std::string::npos);
    EXPECT_TRUE(server.wait()->success());
  }
  auto server = answer_with(listening, 0);
  const auto without = check_access(*connect_to_display(Caller::current()), {});
  ASSERT_FALSE(without);
  EXPECT_NE(without.error().message().find("there is no cookie"), std::string::npos);
}

TEST_F(XDisplayTest, AServerOfAnotherUserIsRefused) {
  const auto listening = listen_on("server");
  ::setenv("DISPLAY", path_.c_str(), 1);
  const auto own = Caller::current();
  EXPECT_TRUE(connect_to_display(own));
  REQUIRE_ROOT();
  // Root's own server is trusted by everybody, so the child takes another user's id before it listens.
  const auto path = path_;
  ::unlink(path.c_str());
  ASSERT_EQ(::chmod(directory_.c_str(), 0777), 0);
  auto server = fork_child(0, [&] {
    if (::setresuid(12345, 12345, 12345) != 0) return 1;
    const auto theirs = listen_on("theirs");
    const Fd client(::accept(theirs.get(), nullptr, nullptr));
    return 0;
  });
  ASSERT_TRUE(server);
  path_ = directory_ + "/theirs";
  ::setenv("DISPLAY", path_.c_str(), 1);
  for (int i = 0; i < 100 && ::access(path_.c_str(), F_OK) != 0; ++i) ::usleep(20'000);
  ::usleep(50'000);
  const auto connection = connect_to_display(own);
  ASSERT_FALSE(connection);
  EXPECT_NE(connection.error().message().find("belongs to user 12345"), std::string::npos);
}

TEST_F(XDisplayTest, UnusedNumbersAreHighAndDiffer) {
  const auto first = unused_display_number();
  const auto second = unused_display_number();
  ASSERT_TRUE(first && second);
  EXPECT_NE(*first, *second);
  EXPECT_GE(*first, 1000U);
  EXPECT_LE(*first, 59535U);
}

}  // namespace
}  // namespace isolate
