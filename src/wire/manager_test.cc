#include "wire/manager.h"

#include <nlohmann/json.hpp>

#include "base/testing.h"

namespace isolate::wire {
namespace {

using test::message_of;
using test::must;

TEST(ManagerTest, ACallIsInterfaceMethodAndParameters) {
  const auto call = must(parse_call(R"({"method":"org.isolate.Manager.Lease","parameters":{"template":"t"}})"));
  EXPECT_EQ(call.interface, kManager);
  EXPECT_EQ(call.method, "Lease");
  EXPECT_EQ(call.parameters, R"({"template":"t"})");
  EXPECT_EQ(must(parse_call(R"({"method":"a.B"})")).parameters, "{}");
}

TEST(ManagerTest, AnInvalidCallIsRefused) {
  for (const char* text : {"", "x", "[]", "{", "{}", R"({"method":1})", R"({"method":"nodot"})",
                           R"({"method":"a.B","parameters":[]})", R"({"method":"a.B","more":true})",
                           R"({"method":"a.B","oneway":true})", R"({"method":"a.B"} x)", "{\"method\":\"\xff.B\"}"}) {
    EXPECT_FALSE(parse_call(text)) << text;
  }
}

TEST(ManagerTest, DeeplyNestedInputIsRefusedBeforeParsing) {
  const std::string deep(60000, '[');
  EXPECT_EQ(message_of(parse_call(R"({"method":"a.B","parameters":{"x":)" + deep)), "nested too deeply");
  const std::string text(60000, '[');
  EXPECT_TRUE(parse_call(R"({"method":"a.B","parameters":{"x":")" + text + "\\\"[\"}}"));
}

TEST(ManagerTest, ALeaseRequestIsUnchangedAfterTransmission) {
  const auto request =
      must(lease_request_from(to_json(LeaseRequest{"zfs:t", true, std::nullopt, std::nullopt, "bwrap"})));
  EXPECT_EQ(request.template_name, "zfs:t");
  EXPECT_TRUE(request.private_ids);
  EXPECT_EQ(request.engine, "bwrap");
  EXPECT_FALSE(must(lease_request_from({{"template", "t"}})).private_ids);
  EXPECT_FALSE(must(lease_request_from({{"template", "t"}})).uid_base);
  const auto based = must(lease_request_from(to_json(LeaseRequest{"t", false, 500000, 600000, "bwrap"})));
  EXPECT_EQ(based.uid_base, 500000U);
  EXPECT_EQ(based.gid_base, 600000U);
}

TEST(ManagerTest, LimitsAreUnchangedAfterTransmission) {
  LeaseRequest request{"t", false, std::nullopt, std::nullopt, "bwrap"};
  EXPECT_FALSE(to_json(request).contains("limits"));
  EXPECT_FALSE(must(lease_request_from(to_json(request))).limits.any());
  request.limits = {67108864, 150000, 40, 200};
  EXPECT_EQ(must(lease_request_from(to_json(request))).limits, request.limits);
  request.limits.memory.reset();
  EXPECT_EQ(must(lease_request_from(to_json(request))).limits, request.limits);
}

TEST(ManagerTest, ANestedRequestIsUnchangedAfterTransmission) {
  LeaseRequest request{"t", false, std::nullopt, std::nullopt, "lxc"};
  EXPECT_FALSE(to_json(request).contains("nested"));
  EXPECT_FALSE(must(lease_request_from(to_json(request))).nested);
  for (const auto& nested : {NestedRequest{true, 4096}, NestedRequest{true, std::nullopt}, NestedRequest{false, 0}}) {
    request.nested = nested;
    EXPECT_EQ(must(lease_request_from(to_json(request))).nested, nested);
  }
}

TEST(ManagerTest, ARequestForAWarmGuestSaysSo) {
  LeaseRequest request{"t", false, std::nullopt, std::nullopt, "native"};
  EXPECT_FALSE(must(lease_request_from(to_json(request))).waits);
  request.waits = true;
  EXPECT_TRUE(must(lease_request_from(to_json(request))).waits);
}

TEST(ManagerTest, AnInvalidLeaseRequestIsRefused) {
  for (const Json& parameters :
       {Json({}), Json{{"template", 1}}, Json{{"template", "t"}, {"waits", 1}},
        Json{{"template", "t"}, {"userns", "single"}}, Json{{"template", "t"}, {"userns", nullptr}},
        Json{{"template", "t"}, {"engine", "a b"}}, Json{{"template", "t"}, {"engine", std::string(17, 'e')}},
        Json{{"template", "t"}, {"uidBase", 500000}},
        Json{{"template", "t"}, {"uidBase", 4294967295U}, {"gidBase", 500000}}, Json{{"template", "t"}, {"limits", 1}},
        Json{{"template", "t"}, {"limits", {{"memory", "64M"}}}},
        Json{{"template", "t"}, {"limits", {{"processes", -1}}}},
        Json{{"template", "t"}, {"limits", {{"processes", 1}, {"disk", 1}}}}, Json{{"template", "t"}, {"nested", true}},
        Json{{"template", "t"}, {"nested", Json::object()}}, Json{{"template", "t"}, {"nested", {{"locksMounts", 1}}}},
        Json{{"template", "t"}, {"nested", {{"locksMounts", true}, {"processes", -1}}}},
        Json{{"template", "t"}, {"nested", {{"locksMounts", true}, {"pid", 1}}}}}) {
    EXPECT_FALSE(lease_request_from(parameters)) << parameters;
  }
}

LeaseReply a_reply() {
  LeaseReply reply;
  reply.lease = "t-abc";
  reply.template_name = "t";
  reply.store = "overlay:/s";
  reply.generation = 18446744073709551615ULL;
  reply.read_only = true;
  reply.maps = {{{0, 1000, 1}, {1, 4294901761, 65535}}, {{0, 100, 1}}};
  return reply;
}

TEST(ManagerTest, ALeaseReplyIsUnchangedAfterTransmission) {
  const auto wanted = a_reply();
  const auto reply = must(lease_reply_from(to_json(wanted)));
  EXPECT_EQ(reply.lease, wanted.lease);
  EXPECT_EQ(reply.template_name, wanted.template_name);
  EXPECT_EQ(reply.store, wanted.store);
  EXPECT_EQ(reply.generation, wanted.generation);
  EXPECT_TRUE(reply.read_only);
  EXPECT_EQ(reply.maps, wanted.maps);
  EXPECT_EQ(reply.group, "");
  auto limited = wanted;
  limited.group = "/sys/fs/cgroup/a/lease-t";
  EXPECT_EQ(must(lease_reply_from(to_json(limited))).group, limited.group);
}

TEST(ManagerTest, ALeaseReplyDeterminesTheNumberOfDescriptors) {
  auto reply = a_reply();
  for (const auto& [nested, count] :
       {std::pair{Nested::none, 4U}, std::pair{Nested::below, 5U}, std::pair{Nested::beside, 6U}}) {
    reply.nested = nested;
    const auto received = must(lease_reply_from(to_json(reply)));
    EXPECT_EQ(received.nested, nested);
    EXPECT_EQ(descriptors_of(received), count);
  }
}

TEST(ManagerTest, AnInvalidLeaseReplyIsRefused) {
  const auto whole = to_json(a_reply());
  for (const auto& [key, value] : whole.items()) {
    auto part = whole;
    part.erase(key);
    EXPECT_FALSE(lease_reply_from(part)) << "without " << key;
  }
  auto wrong = whole;
  wrong["uidMap"] = Json::array({Json::array({0, 4294967296, 1})});
  EXPECT_FALSE(lease_reply_from(wrong));
  wrong["uidMap"] = Json::array({Json::array({0, 1})});
  EXPECT_FALSE(lease_reply_from(wrong));
  wrong = whole;
  wrong["nested"] = "above";
  EXPECT_FALSE(lease_reply_from(wrong));
  wrong = whole;
  wrong["layers"] = 2;
  EXPECT_EQ(message_of(lease_reply_from(wrong)), "isolated is older than isolate; restart isolated");
}

TEST(ManagerTest, TheDescriptionNamesEachMethod) {
  for (const char* method :
       {"Lease", "EnterGroup", "ListTemplates", "ListPools", "ListLeases", "GetStatus", "ResizePool"}) {
    EXPECT_NE(manager_description().find(std::string("method ") + method + "("), std::string_view::npos) << method;
  }
}

}  // namespace
}  // namespace isolate::wire
