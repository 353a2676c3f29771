#include "share/bus_login.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>

#include "base/text.h"
#include "linux/socket.h"
#include "share/host_socket.h"

namespace isolate {
namespace {

constexpr std::size_t kLongestLine = 16384;  // the limit of the reference implementation
constexpr std::string_view kEndOfLine = "\r\n";
constexpr std::string_view kExternal = "AUTH EXTERNAL ";

// The id in decimal digits, which are then written as hexadecimal bytes.
std::string login_line(uid_t uid) {
  std::string line(kExternal);
  for (const char digit : std::to_string(uid)) line += fmt::format("{:02x}", static_cast<unsigned char>(digit));
  return line;
}

}  // namespace

Result<void> check_login(BusKind bus, const std::string& socket, const Caller& caller) {
  const auto connected = connect_stream(socket);
  if (!connected) return fail(fmt::format("no bus answers ({})", text::printable(connected.error().message())));
  // The system bus runs as a user of its own.
  const auto owner = TRY(socket_peer(connected->get())).uid;
  if (bus == BusKind::session && !is_trusted(owner, caller)) {
    return fail(fmt::format("the bus at {} belongs to user {}, who could see and change the guest's messages",
                            text::printable(socket), owner));
  }
  ::fcntl(connected->get(), F_SETFL, 0);
  const timeval patience{5, 0};
  ::setsockopt(connected->get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const std::string request = std::string(1, '\0') + login_line(caller.uid) + std::string(kEndOfLine);
  char answer[3] = {};
  if (::send(connected->get(), request.data(), request.size(), MSG_NOSIGNAL) < 0 ||
      ::recv(connected->get(), answer, sizeof answer, MSG_WAITALL) != sizeof answer) {
    return fail(fmt::format("the bus at {} does not answer", text::printable(socket)));
  }
  if (std::string_view(answer, sizeof answer) == "OK ") return {};
  return fail(fmt::format("the bus at {} refuses user {}", text::printable(socket), caller.uid));
}

Result<std::string> LoginEditor::edit(std::string_view bytes) {
  held_ += bytes;
  std::string ready;
  for (auto end = held_.find(kEndOfLine); end != std::string::npos; end = held_.find(kEndOfLine)) {
    const auto line = edited(held_.substr(0, end));
    if (has_begun_) return is_finished() ? ready + std::exchange(held_, {}) : ready;
    ready += line + std::string(kEndOfLine);
    held_.erase(0, end + kEndOfLine.size());
    ++sent_;
  }
  if (held_.size() > kLongestLine) return fail("a line of the login is too long");
  return ready;
}

Result<std::string> LoginEditor::see_answer(std::string_view bytes) {
  answered_ += static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '\n'));
  return is_finished() ? std::exchange(held_, {}) : std::string();
}

std::string LoginEditor::edited(const std::string& line) {
  // A client sends a zero byte before its first line.
  const bool begins_with_zero = std::exchange(is_first_, false) && line.starts_with('\0');
  const std::string beginning = begins_with_zero ? std::string(1, '\0') : "";
  const auto words = line.substr(beginning.size());
  has_begun_ = words == "BEGIN" || words.starts_with("BEGIN ") || words.starts_with("BEGIN\t");
  // Without an id the bus takes the user id of the process that connects.
  const bool has_id =
      words.starts_with(kExternal) && words.find_first_not_of(' ', kExternal.size()) != std::string::npos;
  return has_id ? beginning + login_line(uid_) : line;
}

}  // namespace isolate
