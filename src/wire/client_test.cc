#include "wire/client.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/testing.h"
#include "linux/process.h"

namespace isolate::wire {
namespace {

using test::must;

// A daemon that sends the same answer to any request. For an empty answer it closes the connection.
class ClientTest : public ::testing::Test {
 protected:
  CallResult<Json> ask(const std::string& answer) {
    const auto path = directory_ / "socket";
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("bind");
    if (::listen(socket.get(), 1) != 0) throw std::runtime_error("listen");
    auto daemon = must(fork_child(0, [&] {
      Channel channel(Fd(::accept(socket.get(), nullptr, nullptr)), Descriptors::refuse);
      const auto question = channel.receive(kLong, kLong);
      if (!answer.empty()) return channel.send(answer, {}, kLong) ? 0 : 1;
      return question ? 0 : 1;
    }));
    auto client = Client::connect(path);
    if (!client) return tl::unexpected<CallError>(client.error());
    auto outcome = client->call("Any", Json::object());
    EXPECT_TRUE(must(daemon.wait()).success());
    return outcome;
  }
  static constexpr Channel::Milliseconds kLong{10'000};
  test::TempDirectory directory_;
};

TEST_F(ClientTest, ReturnsTheParametersOfTheAnswer) {
  const auto answer = ask(R"({"parameters":{"a":[1]}})");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, Json({{"a", {1}}}));
}

TEST_F(ClientTest, ReportsTheErrorOfTheDaemon) {
  const auto answer = ask(R"({"error":"org.isolate.Manager.NoSuchTemplate","parameters":{"message":"none\u001b"}})");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().refusal, Refusal::no_such_template);
  EXPECT_EQ(answer.error().message, "none\\x1b");
}

TEST_F(ClientTest, AnErrorWithoutAMessageIsReportedByItsName) {
  const auto answer = ask(R"({"error":"a.B"})");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "isolated: a.B");
}

TEST_F(ClientTest, AClosedConnectionIsAnError) {
  const auto none = ask("");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("closed the connection"), std::string::npos) << none.error().message;
}

TEST_F(ClientTest, AnInvalidAnswerIsAnError) {
  const auto nonsense = ask("[1]");
  ASSERT_FALSE(nonsense);
  EXPECT_EQ(nonsense.error().message, "isolated sent an invalid answer: not a JSON object");
}

TEST_F(ClientTest, AMissingDaemonIsAnErrorWithAdvice) {
  const auto client = Client::connect(directory_ / "nothing");
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().refusal, Refusal::unreachable);
  EXPECT_NE(client.error().message.find("systemctl start isolated.socket"), std::string::npos);
}

}  // namespace
}  // namespace isolate::wire
