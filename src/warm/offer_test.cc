#include "warm/offer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/sealed_file.h"
#include "linux/socket.h"
#include "warm/profile.h"

namespace isolate {
namespace {

using test::must;
using namespace warm_protocol;

class WarmOfferTest : public ::testing::Test {
 protected:
  Fd open_runs() { return must(open_file(AT_FDCWD, directory_.path(), O_RDONLY | O_DIRECTORY)); }
  WarmOffer offer() { return must(WarmOffer::open({open_runs(), ""}, kProfile, "t-1")); }
  Fd connect() {
    const auto place = must(open_file(open_runs().get(), name_of_profile(kProfile), O_RDONLY | O_DIRECTORY));
    return must(connect_in(place, fmt::format("t-1.warm.{}", ::getpid())));
  }
  static Fd request(const std::string& profile = kProfile) {
    BeginRequest request;
    request.profile = profile;
    request.command = {"true"};
    return must(sealed_file("begin", must(to_message(request))));
  }
  static std::string answer(const Fd& client) { return must(receive_message(client.get(), kMostAnswerBytes)).bytes; }

  static constexpr const char* kProfile = "profile";
  test::TempDirectory directory_;
};

TEST_F(WarmOfferTest, ARunGetsTheGuestWithItsStreams) {
  auto offer = this->offer();
  const auto client = connect();
  const auto message = request();
  must(send_message(client.get(), kMark, {message.get()}));
  EXPECT_TRUE(must(wait_readable(offer.fd(), 0)));
  auto taken = offer.receive();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->request.command, std::vector<std::string>{"true"});
  must(send_message(client.get(), kStreams, {message.get(), message.get(), message.get()}));
  must(WarmOffer::accept(&*taken));
  EXPECT_TRUE(taken->streams[2]);
  EXPECT_FALSE(taken->status);
  EXPECT_EQ(answer(client), kTaken);
  taken->caller.end(7);
  EXPECT_EQ(answer(client), "ended 7");
}

TEST_F(WarmOfferTest, SignalsOfTheRunArriveAndItsEndIsSeen) {
  auto offer = this->offer();
  auto client = connect();
  const auto message = request();
  must(send_message(client.get(), kMark, {message.get()}));
  auto taken = offer.receive();
  ASSERT_TRUE(taken);
  must(send_message(client.get(), kStreams, {0, 1, 2, 1}));
  must(WarmOffer::accept(&*taken));
  EXPECT_TRUE(taken->status);
  const Signal sent{15, -6};
  must(send_message(client.get(), {reinterpret_cast<const char*>(&sent), sizeof sent}));
  const auto signal = taken->caller.read();
  ASSERT_TRUE(signal);
  EXPECT_EQ(signal->number, 15);
  EXPECT_EQ(signal->code, -6);
  const Signal unknown{9, 0};
  must(send_message(client.get(), {reinterpret_cast<const char*>(&unknown), sizeof unknown}));
  EXPECT_FALSE(taken->caller.read());
  EXPECT_FALSE(taken->caller.is_gone());
  client.reset();
  EXPECT_FALSE(taken->caller.read());
  EXPECT_TRUE(taken->caller.is_gone());
}

TEST_F(WarmOfferTest, AnUnusableRequestIsRefusedWithItsReason) {
  auto offer = this->offer();
  const auto other_profile = request("other");
  const auto good = request();
  const auto garbled = must(sealed_file("begin", "x"));
  const std::string mark(kMark);
  const std::pair<std::string, std::vector<int>> wrong[] = {{"x", {good.get()}},     {mark, {}},
                                                            {mark, {good.get(), 0}}, {mark, {0}},
                                                            {mark, {garbled.get()}}, {mark, {other_profile.get()}}};
  for (const auto& [bytes, descriptors] : wrong) {
    const auto client = connect();
    must(send_message(client.get(), bytes, descriptors));
    EXPECT_FALSE(offer.receive());
    EXPECT_TRUE(answer(client).starts_with(kRefused)) << bytes;
  }
  const auto client = connect();
  must(send_message(client.get(), mark, {good.get()}));
  EXPECT_TRUE(offer.receive());
}

TEST_F(WarmOfferTest, SilentClientsDoNotKeepOthersOut) {
  auto offer = this->offer();
  std::vector<Fd> silent;
  for (int i = 0; i < 20; ++i) {
    silent.push_back(connect());
    EXPECT_FALSE(offer.receive());
  }
  const auto client = connect();
  const auto message = request();
  must(send_message(client.get(), kMark, {message.get()}));
  EXPECT_TRUE(offer.receive());
}

TEST_F(WarmOfferTest, ItSeesThatItsNameIsGone) {
  auto offer = this->offer();
  EXPECT_TRUE(offer.is_in_place());
  std::filesystem::remove_all(directory_.path() + "/" + name_of_profile(kProfile));
  EXPECT_FALSE(offer.is_in_place());
}

TEST_F(WarmOfferTest, ARunThatHasWaitedTooLongDoesNotGetTheGuest) {
  auto offer = this->offer();
  const auto client = connect();
  const auto message = request();
  must(send_message(client.get(), kMark, {message.get()}));
  ::shutdown(client.get(), SHUT_RD);
  auto taken = offer.receive();
  ASSERT_TRUE(taken);
  EXPECT_FALSE(WarmOffer::accept(&*taken));
  EXPECT_NE(answer(client), kTaken);
}

TEST_F(WarmOfferTest, ItsPlaceIsRemovedWithTheLastOffer) {
  {
    auto offer = this->offer();
    EXPECT_TRUE(std::filesystem::exists(directory_.path() + "/" + name_of_profile(kProfile)));
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

}  // namespace
}  // namespace isolate
