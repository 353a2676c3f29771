#include "isolated/service.h"

#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "base/testing.h"
#include "linux/caller.h"
#include "linux/process.h"
#include "pool/registered.h"
#include "wire/channel.h"
#include "wire/manager.h"

namespace isolate {
namespace {

using test::must;
using wire::Channel;
using wire::Json;

// A connection, and the process that serves it.
class ServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    REQUIRE_ROOT();
    OwnerNamespace owner(Caller::current());
    auto store = must(open_store(directory_ / "store", &owner, MissingStore::create));
    test::add_template(*store, "t");
    must(Pool(store.get(), "t").refresh({1U, false, true}));
  }
  void connect(uid_t uid) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    Fd there(ends[1]);
    here_.emplace(Fd(ends[0]), wire::Descriptors::accept);
    process_ = must(fork_child(0, [&] {
      const int ours = ends[0];
      ::close(ours);
      const Peer peer{uid, uid, ::getppid(), own_pidfd()};
      return serve(std::move(there), peer, {directory_ / "store", 4711, 1, 2});
    }));
  }
  Json ask(const std::string& message) {
    must(here_->send(message, {}, kLong));
    const auto answer = must(here_->receive(kLong, kLong));
    return answer ? Json::parse(*answer, nullptr, false) : Json("closed");
  }
  Json call(const std::string& method, const Json& parameters = Json::object()) {
    return ask(Json({{"method", method}, {"parameters", parameters}}).dump());
  }
  bool is_closed() { return !must(here_->receive(kLong, kLong)).has_value(); }

  static constexpr Channel::Milliseconds kLong{10'000};
  test::TempDirectory directory_;
  std::optional<Channel> here_;
  ChildProcess process_;
};

TEST_F(ServiceTest, DescribesItselfAndItsInterfaces) {
  connect(1000);
  const auto info = call("org.varlink.service.GetInfo")["parameters"];
  EXPECT_EQ(info["product"], "isolated");
  EXPECT_EQ(info["interfaces"], Json({"org.varlink.service", "org.isolate.Manager"}));
  for (const std::string name : {"org.varlink.service", "org.isolate.Manager"}) {
    const auto text = call("org.varlink.service.GetInterfaceDescription", {{"interface", name}})["parameters"];
    EXPECT_NE(text["description"].get<std::string>().find("interface " + name + "\n"), std::string::npos);
  }
  EXPECT_EQ(call("org.varlink.service.GetInterfaceDescription", {{"interface", "a.b"}})["error"],
            "org.varlink.service.InterfaceNotFound");
}

TEST_F(ServiceTest, AnUnknownMethodIsAnErrorAndTheConnectionStaysOpen) {
  connect(1000);
  EXPECT_EQ(call("org.isolate.Manager.Destroy")["error"], "org.varlink.service.MethodNotFound");
  EXPECT_EQ(call("org.varlink.service.Stop")["error"], "org.varlink.service.MethodNotFound");
  EXPECT_EQ(call("com.example.A")["error"], "org.varlink.service.InterfaceNotFound");
  EXPECT_EQ(call("org.isolate.Manager.Lease", {{"template", 1}})["error"], "org.varlink.service.InvalidParameter");
  for (const Json& nested : {Json(true), Json::object(), Json{{"locksMounts", "yes"}}, Json{{"processes", 5}},
                             Json{{"locksMounts", true}, {"pid", 1}}, Json{{"locksMounts", true}, {"processes", -1}}}) {
    EXPECT_EQ(call("org.isolate.Manager.Lease", {{"template", "t"}, {"nested", nested}})["error"],
              "org.varlink.service.InvalidParameter")
        << nested;
  }
  EXPECT_EQ(call("org.isolate.Manager.Lease", {{"template", "other"}})["error"], "org.isolate.Manager.NoSuchTemplate");
  EXPECT_EQ(call("org.isolate.Manager.GetStatus")["parameters"]["pid"], 4711);
}

TEST_F(ServiceTest, AnInvalidRequestClosesTheConnection) {
  connect(1000);
  EXPECT_EQ(ask("nonsense")["error"], "org.varlink.service.InvalidParameter");
  EXPECT_TRUE(is_closed());
}

TEST_F(ServiceTest, NoMessageMayFollowALease) {
  connect(1000);
  must(here_->send(R"({"method":"org.isolate.Manager.Lease","parameters":{"template":"t"}})" + std::string(1, '\0') +
                       R"({"method":"org.varlink.service.GetInfo"})",
                   {}, kLong));
  const auto answer = must(here_->receive(kLong, kLong));
  EXPECT_EQ(Json::parse(answer.value_or("{}"))["error"], "org.varlink.service.InvalidParameter");
}

TEST_F(ServiceTest, PoolsAreListed) {
  connect(1000);
  const auto pools = call("org.isolate.Manager.ListPools")["parameters"]["pools"];
  ASSERT_EQ(pools.size(), 1U);
  EXPECT_EQ(pools[0]["template"], "t");
  EXPECT_EQ(pools[0]["size"], 1);
  EXPECT_EQ(pools[0]["fresh"], 1);
  const auto templates = call("org.isolate.Manager.ListTemplates")["parameters"]["templates"];
  ASSERT_EQ(templates.size(), 1U);
  EXPECT_EQ(templates[0]["generation"], 1);
  EXPECT_EQ(call("org.isolate.Manager.ListLeases")["parameters"]["leases"], Json::array());
}

TEST_F(ServiceTest, OnlyRootCanSetTheSizeOfAPool) {
  connect(1000);
  EXPECT_EQ(call("org.isolate.Manager.ResizePool", {{"template", "t"}, {"size", 5}})["error"],
            "org.isolate.Manager.PermissionDenied");
  connect(0);
  EXPECT_EQ(call("org.isolate.Manager.ResizePool", {{"template", "t"}, {"size", 5}})["parameters"], Json::object());
  EXPECT_EQ(call("org.isolate.Manager.ListPools")["parameters"]["pools"][0]["size"], 5);
  EXPECT_EQ(call("org.isolate.Manager.ResizePool", {{"template", "t"}, {"size", -1}})["error"],
            "org.varlink.service.InvalidParameter");
}

TEST_F(ServiceTest, RootCanNotLeaseClones) {
  connect(0);
  EXPECT_EQ(call("org.isolate.Manager.Lease", {{"template", "t"}})["error"], "org.isolate.Manager.PermissionDenied");
}

}  // namespace
}  // namespace isolate
