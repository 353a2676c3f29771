#include "limits/systemd_scope.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <cstring>

#include "linux/process_testing.h"

namespace isolate {
namespace {

using test::message_of;
using test::must;

std::uint32_t number_at(const std::string& text, std::size_t at) {
  std::uint32_t number = 0;
  std::memcpy(&number, text.data() + at, sizeof number);
  return number;
}

// Returns the position of a string with its length before it in a message, or npos.
std::size_t find_string(const std::string& message, const std::string& text) {
  const auto length = static_cast<std::uint32_t>(text.size());
  std::string wanted(reinterpret_cast<const char*>(&length), sizeof length);
  return message.find(wanted + text + '\0');
}

// Returns a message with a body of one string, as systemd would answer.
std::string answer(char type, const std::string& text) {
  std::string message = {'l', type, 0, 1};
  const auto number = [&message](std::size_t value) {
    const auto small = static_cast<std::uint32_t>(value);
    message.append(reinterpret_cast<const char*>(&small), sizeof small);
  };
  number(text.empty() ? 0 : sizeof(std::uint32_t) + text.size() + 1);
  number(1);
  number(5);
  message += std::string("fields", 5) + std::string(3, '\0');
  if (!text.empty()) {
    number(text.size());
    message += text + '\0';
  }
  return message;
}

// A server that answers one client as systemd might.
class PretendedSystemd {
 public:
  PretendedSystemd(const std::string& greeting, const std::string& answers) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener.get(), 1) != 0) {
      throw std::runtime_error("no socket");
    }
    server_ = must(fork_child(0, [&] { return serve(listener, greeting, answers); }));
  }
  std::string path() const { return directory_ / "socket"; }
  // Waits until it has ended and returns what it received.
  std::string heard() {
    must(server_.wait());
    return must(read_file(directory_ / "heard"));
  }

 private:
  int serve(const Fd& listener, const std::string& greeting, const std::string& answers) const {
    const Fd connection(::accept(listener.get(), nullptr, nullptr));
    char buffer[4096];
    std::string heard;
    const auto hear = [&] {
      const auto got = ::recv(connection.get(), buffer, sizeof buffer, 0);
      heard.append(buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
      return got > 0;
    };
    if (!hear() || !write_all(connection.get(), greeting, "greeting")) return 1;
    // Read the rest of the SASL lines and the whole call.
    while (heard.find("StartTransientUnit") == std::string::npos && hear()) {
    }
    test::write_text(directory_ / "heard", heard);
    return write_all(connection.get(), answers, "answers") ? 0 : 1;
  }
  test::TempDirectory directory_;
  ChildProcess server_;
};

TEST(ScopeMessageTest, IsAWholeDBusCall) {
  const auto message = scope_message("isolate-abc.scope", 4711);
  EXPECT_EQ(message.substr(1, 3), std::string("\1\0\1", 3));
  const auto body = 16 + (number_at(message, 12) + 7) / 8 * 8;
  EXPECT_EQ(message.size(), body + number_at(message, 4));
  EXPECT_EQ(find_string(message, "isolate-abc.scope"), body);
  for (const char* text :
       {"/org/freedesktop/systemd1", "StartTransientUnit", "Delegate", "PIDs", "inactive-or-failed"}) {
    const auto at = find_string(message, text);
    ASSERT_NE(at, std::string::npos) << text;
    EXPECT_EQ(at % 4, 0U) << text;
  }
  EXPECT_EQ(find_string(message, "PIDs") % 8, 0U) << "a structure is aligned to 8 bytes";
  const std::uint32_t pid = 4711;
  const auto at = message.find(std::string(reinterpret_cast<const char*>(&pid), sizeof pid));
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(at % sizeof pid, 0U);
  EXPECT_EQ(number_at(message, at - sizeof pid), sizeof pid) << "the length of the array";
}

TEST(SystemdScopeTest, SystemdsErrorIsReportedAndSignalsBeforeItAreSkipped) {
  PretendedSystemd systemd("OK 0123\r\n", answer(4, "a signal") + answer(3, "no\x1b more"));
  EXPECT_EQ(message_of(enter_systemd_scope(systemd.path(), "isolate-x")),
            "systemd refuses to start a scope: no\\x1b more");
  const auto heard = systemd.heard();
  EXPECT_EQ(heard.front(), '\0');
  EXPECT_EQ(heard.substr(1, 14), "AUTH EXTERNAL ");
  EXPECT_NE(find_string(heard, "isolate-x.scope"), std::string::npos);
}

TEST(SystemdScopeTest, AClosedConnectionOrGarbageIsAnError) {
  PretendedSystemd silent("OK 0123\r\n", "");
  EXPECT_EQ(message_of(enter_systemd_scope(silent.path(), "x")), "systemd has closed the connection");
  PretendedSystemd garbled("OK 0123\r\n", std::string(64, '\xff'));
  EXPECT_EQ(message_of(enter_systemd_scope(garbled.path(), "x")), "systemd: Protocol error");
  PretendedSystemd stranger("REJECTED\r\n", "");
  EXPECT_EQ(message_of(enter_systemd_scope(stranger.path(), "x")), "systemd refuses to authenticate this user");
  EXPECT_FALSE(enter_systemd_scope("/nonexistent/socket", "x"));
}

TEST(SystemdSocketTest, IsInTheUsersRuntimeDirectory) {
  const test::TempDirectory directory;
  const test::ScopedVariable variable("XDG_RUNTIME_DIR", directory.path().c_str());
  EXPECT_NE(message_of(systemd_socket(1000)).find("enable-linger"), std::string::npos);
  test::write_text(directory / "systemd/private", "");
  EXPECT_EQ(must(systemd_socket(1000)), directory / "systemd/private");
  const test::ScopedVariable none("XDG_RUNTIME_DIR", nullptr);
  EXPECT_NE(message_of(systemd_socket(1000)).find("XDG_RUNTIME_DIR"), std::string::npos);
}

}  // namespace
}  // namespace isolate
