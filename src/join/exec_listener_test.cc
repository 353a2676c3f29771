#include "join/exec_listener.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstdint>

#include "base/testing.h"
#include "join/exec_request.h"
#include "linux/file.h"
#include "linux/process.h"
#include "linux/sealed_file.h"
#include "linux/socket.h"
#include "wire/init_protocol.h"

namespace isolate {
namespace {

using test::must;

// A listener, and both ends of a control socket.
struct Listening {
  Listening() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("socketpair");
    control = Fd(ends[0]);
    guest = Fd(ends[1]);
    opened = must(open_file(AT_FDCWD, directory.path(), O_RDONLY | O_DIRECTORY));
    listener.emplace(
        must(ExecListener::open({must(open_file(AT_FDCWD, directory.path(), O_RDONLY | O_DIRECTORY)), ""}, "t-1")));
  }
  // Handles all that is ready at this moment.
  void serve() {
    auto sources = listener->sources();
    ASSERT_GE(::poll(sources.data(), sources.size(), 0), 0);
    listener->serve(sources, control.get());
  }
  Fd connect() const { return must(connect_in(opened, name)); }
  Result<ReceivedMessage> seen_by_guest() const { return receive_message(guest.get(), 1000); }

  test::TempDirectory directory;
  std::string name = fmt::format("t-1.{}", ::getpid());
  Fd opened, control, guest;
  std::optional<ExecListener> listener;
};

std::string message() { return must(to_message({{"true"}, {}, "", false, false})); }

// Sends what a client sends, with a socket of its own.
Result<void> send_request(const Fd& client) {
  const auto request = must(sealed_file("isolate-exec", message()));
  return send_message(client.get(), protocol::kExecMark, {request.get(), 0, 1, 2, client.get()});
}

TEST(ExecListenerTest, ARequestIsPassedOnWithItsDescriptors) {
  Listening run;
  const auto client = run.connect();
  run.serve();
  must(send_request(client));
  run.serve();
  auto seen = must(run.seen_by_guest());
  EXPECT_EQ(seen.bytes.size(), sizeof(protocol::Message));
  ASSERT_EQ(seen.descriptors.size(), std::size_t{protocol::kExecDescriptors});
  auto& setup = seen.descriptors[protocol::kExecSetup];
  ASSERT_EQ(::lseek(setup.get(), 0, SEEK_SET), 0);
  EXPECT_EQ(must(read_all(setup.get())), message());
  EXPECT_EQ(must(receive_message(client.get(), 100)).bytes, "") << "closed without a message, which means success";
}

TEST(ExecListenerTest, AMalformedRequestIsRefusedAndNotPassedOn) {
  Listening run;
  const auto request = must(sealed_file("isolate-exec", message()));
  const auto garbled = must(sealed_file("isolate-exec", message() + "x"));
  // It has the right content, but its sender could still change that.
  const Fd open_file(::memfd_create("request", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  must(write_all(open_file.get(), message(), "request"));
  const std::string mark = protocol::kExecMark;
  const std::pair<std::string, std::vector<int>> wrong[] = {{"x", {request.get(), 0, 1, 2, 0}},
                                                            {message(), {request.get(), 0, 1, 2, 0}},
                                                            {mark, {}},
                                                            {mark, {request.get(), 0, 1, 2}},
                                                            {mark, {request.get(), 0, 1, 2, 0, 0}},
                                                            {mark, {garbled.get(), 0, 1, 2, 0}},
                                                            {mark, {open_file.get(), 0, 1, 2, 0}},
                                                            {mark, {0, 0, 1, 2, 0}}};
  for (const auto& [bytes, descriptors] : wrong) {
    const auto client = run.connect();
    run.serve();
    must(send_message(client.get(), bytes, descriptors));
    run.serve();
    EXPECT_NE(must(receive_message(client.get(), 1000)).bytes, "");
    EXPECT_TRUE(test::fails_with(run.seen_by_guest(), EAGAIN));
  }
}

TEST(ExecListenerTest, AGuestThatDoesNotReadIsReportedToTheClientAndNotWaitedFor) {
  Listening run;
  Result<void> sent;
  while (sent) sent = send_message(run.control.get(), "x");
  const auto client = run.connect();
  run.serve();
  must(send_request(client));
  run.serve();
  EXPECT_NE(must(receive_message(client.get(), 1000)).bytes.find("no longer reads"), std::string::npos);
}

TEST(ExecListenerTest, SilentClientsDoNotKeepOthersOut) {
  Listening run;
  std::vector<Fd> silent;
  for (std::size_t i = 0; i < 3 * ExecListener::kMostWaiting; ++i) {
    silent.push_back(run.connect());
    run.serve();
  }
  const auto client = run.connect();
  run.serve();
  must(send_request(client));
  run.serve();
  EXPECT_TRUE(test::succeeded(run.seen_by_guest()));
}

TEST(ExecListenerTest, RequestsOfAnotherUserOrAGuestAreRefused) {
  REQUIRE_ROOT();
  Listening run;
  // Root may ask. Another user may not, even if they can reach the socket.
  ASSERT_EQ(::chmod(run.directory.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod((run.directory / run.name).c_str(), 0777), 0);
  const auto try_as = [&run](std::uint64_t namespaces, uid_t uid) {
    auto child = must(fork_child(namespaces, [&] {
      if (::setuid(uid) != 0) return 1;
      const auto connection = connect_in(run.opened, run.name);
      if (!connection) return 2;
      char byte = 0;
      for (int i = 0; i < 2000 && ::recv(connection->get(), &byte, 1, 0) < 0 && errno == EAGAIN; ++i) ::usleep(1000);
      return ::recv(connection->get(), &byte, 1, 0) == 0 ? 0 : 3;
    }));
    for (int i = 0; i < 100; ++i) {
      run.serve();
      ::usleep(1000);
    }
    return must(child.wait()).describe();
  };
  EXPECT_EQ(try_as(0, 12345), "exit status 0") << "isolate has closed the connection";
  EXPECT_EQ(try_as(CLONE_NEWPID, 0), "exit status 0") << "isolate has closed the connection";
}

TEST(ExecListenerTest, TheListenerRemovesItsSocketAndThoseOfKilledRuns) {
  Listening run;
  // Makes sockets of this process, which lives, and of a process that has ended.
  const auto child = must(fork_child(0, [] { return 0; })).pid();
  { const auto ended = must(listen_in(run.opened, fmt::format("t-2.{}", child))); }
  { const auto lives = must(listen_in(run.opened, fmt::format("t-3.{}", ::getpid()))); }
  const auto elsewhere = must(listen_in(run.opened, fmt::format("t-4.{}", child)));
  test::write_text(run.directory / "other", "");
  run.listener->sweep();
  EXPECT_FALSE(test::exists(run.directory / fmt::format("t-2.{}", child)));
  EXPECT_TRUE(test::exists(run.directory / fmt::format("t-3.{}", ::getpid())));
  EXPECT_TRUE(test::exists(run.directory / fmt::format("t-4.{}", child)))
      << "its run may live in another pid namespace";
  EXPECT_TRUE(test::exists(run.directory / "other"));
  EXPECT_TRUE(test::exists(run.directory / run.name));
  run.listener.reset();
  EXPECT_FALSE(test::exists(run.directory / run.name));
}

TEST(ExecListenerTest, WithoutAStoreTheDirectoryIsInTheHomeWhileItIsInUse) {
  const test::TempDirectory home;
  const Caller user{12345, 0};
  const test::ScopedVariable no_runtime("XDG_RUNTIME_DIR", nullptr);
  const test::ScopedVariable variable("HOME", home.path().c_str());
  const auto path = home / ".isolate-runs";
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  for (const auto& each : {home.path(), path}) ASSERT_EQ(::chown(each.c_str(), user.uid, 0), 0);
  ASSERT_EQ(::chmod(home.path().c_str(), 0755), 0);
  const auto open = [&](const char* clone) {
    return must(ExecListener::open(must(open_runs_directory(user, home / "no-store")), clone));
  };
  std::optional<ExecListener> first(open("t-1"));
  { const auto second = open("t-2"); }
  EXPECT_TRUE(test::exists(path)) << "the first listener still uses it";
  first.reset();
  EXPECT_FALSE(test::exists(path));
}

TEST(ExecListenerTest, ASocketIsNamedAfterItsCloneAndItsProcess) {
  EXPECT_TRUE(is_socket_of("t-1.77", "t-1"));
  EXPECT_TRUE(is_socket_of("a.b-1.77", "a.b-1"));
  for (const char* name : {"t-1", "t-1.", "t-1.x", "t-1.0", "t-12.77", "t-1.2.77", ".77", ""}) {
    EXPECT_FALSE(is_socket_of(name, "t-1")) << name;
  }
}

TEST(ExecListenerTest, ADirectoryIsUsedOnlyIfNobodyElseCanEnterIt) {
  const test::TempDirectory directory;
  const Caller user{::getuid() == 0 ? 12345 : ::getuid(), 0};
  const auto other = Caller{user.uid + 1, 0};
  const auto runtime = directory / "runtime";
  const auto store = directory / "store";
  for (const auto& path : {runtime, store}) {
    must(make_directories(path, 0700));
    ASSERT_EQ(::chown(path.c_str(), user.uid, static_cast<gid_t>(-1)), 0);
  }
  // The directories inside have to exist already: this process would make them as its own.
  for (const auto& path : {runtime + "/isolate", store + "/runs"}) {
    must(make_directories(path, 0700));
    ASSERT_EQ(::chown(path.c_str(), user.uid, static_cast<gid_t>(-1)), 0);
  }
  const auto where = [&store](const Caller& caller) -> std::string {
    const auto opened = open_runs_directory(caller, store);
    if (!opened) return "";
    char path[4096];
    const auto length = ::readlink(fmt::format("/proc/self/fd/{}", opened->directory.get()).c_str(), path, sizeof path);
    return {path, static_cast<std::size_t>(length)};
  };
  const test::ScopedVariable variable("XDG_RUNTIME_DIR", runtime.c_str());
  EXPECT_EQ(where(user), runtime + "/isolate");
  EXPECT_EQ(where(other), "");
  ASSERT_EQ(::chmod(runtime.c_str(), 0755), 0);
  EXPECT_EQ(where(user), store + "/runs");
  ASSERT_EQ(::chmod((store + "/runs").c_str(), 0750), 0);
  EXPECT_EQ(where(user), "");
  ASSERT_EQ(::chmod(runtime.c_str(), 0700), 0);
  ASSERT_EQ(::rename((runtime + "/isolate").c_str(), (runtime + "/real").c_str()), 0);
  ASSERT_EQ(::symlink("real", (runtime + "/isolate").c_str()), 0);
  EXPECT_EQ(where(user), "") << "a symbolic link is not followed";
}

}  // namespace
}  // namespace isolate
