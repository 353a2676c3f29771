#include "warm/begin_request.h"

#include <cstdint>

#include "base/testing.h"

namespace isolate {
namespace {

using test::must;

BeginRequest request_with_everything() {
  BeginRequest request;
  request.profile = "isolate 1\nengine native\n";
  request.command = {"sh", "", "-c", "a b\xff\nc"};
  request.environment = {"A=", "B=c=d"};
  request.directory = "/srv";
  request.term = "";
  request.timeout = 1500;
  request.ignore_interrupt = request.timings = request.sync = request.quiet = request.leads_session = true;
  request.umask = 0777;
  request.signals = {0x8000000000000001, 0x4000};
  return request;
}

TEST(BeginRequestTest, AMessageHoldsTheWholeRequest) {
  auto request = request_with_everything();
  EXPECT_EQ(must(begin_request_from(must(to_message(request)))), request);
  request.term.reset();
  request.sync = false;
  request.environment.clear();
  EXPECT_EQ(must(begin_request_from(must(to_message(request)))), request);
}

TEST(BeginRequestTest, NoPartOfAMessageIsAMessage) {
  const auto message = must(to_message(request_with_everything()));
  for (std::size_t length = 0; length < message.size(); ++length) {
    EXPECT_FALSE(begin_request_from(message.substr(0, length))) << length;
  }
  EXPECT_FALSE(begin_request_from(message + "x"));
}

TEST(BeginRequestTest, WhatTheOptionsRefuseIsRefused) {
  const auto refuses = [](auto change) {
    auto request = request_with_everything();
    change(&request);
    EXPECT_FALSE(begin_request_from(must(to_message(request))));
  };
  refuses([](auto* request) { request->command.clear(); });
  refuses([](auto* request) { request->command[0].clear(); });
  refuses([](auto* request) { request->directory = "srv"; });
  refuses([](auto* request) { request->environment = {"A"}; });
  refuses([](auto* request) { request->environment = {"=A"}; });
  refuses([](auto* request) { request->timeout = UINT64_MAX; });
}

TEST(BeginRequestTest, ATooLongCommandIsAnError) {
  auto request = request_with_everything();
  request.command[1].assign(9 << 20, 'x');
  EXPECT_FALSE(to_message(request));
}

TEST(BeginRequestTest, TheGuestKeepsItsOwnOptions) {
  RunRequest guests;
  guests.hold = true;
  guests.template_name = "debian";
  guests.share_network = true;
  guests.command = {"other"};
  const auto request = request_for(request_with_everything(), guests);
  EXPECT_FALSE(request.hold);
  EXPECT_TRUE(request.share_network);
  EXPECT_EQ(request.template_name, "debian");
  EXPECT_EQ(request.command, request_with_everything().command);
  EXPECT_EQ(request.working_directory, "/srv");
  EXPECT_EQ(request.timeout, std::uint64_t{1500});
}

}  // namespace
}  // namespace isolate
