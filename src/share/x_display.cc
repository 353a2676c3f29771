#include "share/x_display.h"

#include <X11/Xauth.h>
#include <fmt/format.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>

#include "base/environment.h"
#include "base/text.h"
#include "linux/file.h"
#include "linux/socket.h"
#include "share/host_socket.h"

namespace isolate {
namespace {

constexpr const char* kSocketDirectory = "/tmp/.X11-unix";
constexpr unsigned kMostDisplays = 65535;

std::string shown(std::string_view display) { return "DISPLAY=" + text::printable(std::string(display)); }

// Removes ".S", the number of a screen.
std::string_view without_screen(std::string_view text) {
  const auto dot = text.rfind('.');
  if (dot == std::string_view::npos || dot + 1 == text.size()) return text;
  return text.find_first_not_of("0123456789", dot + 1) == std::string_view::npos ? text.substr(0, dot) : text;
}

std::optional<std::string> socket_at(std::string_view path) {
  struct stat status {};
  const std::string name(path);
  if (::stat(name.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) return name;
  return std::nullopt;
}

// A path may contain a dot itself, so try it whole first.
std::optional<std::string> named_socket(std::string_view path) {
  auto socket = socket_at(path);
  return socket ? socket : socket_at(without_screen(path));
}

// Reads exactly `size` bytes. Returns false if the server closes the connection or takes too long.
bool read_fully(int socket, void* data, std::size_t size) {
  return ::recv(socket, data, size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

// The messages of the X protocol that set up a connection (X Window System Protocol, "Connection Setup").
struct SetupRequest {
  std::uint8_t byte_order = 'l';
  std::uint8_t unused = 0;
  std::uint16_t major_version = 11;
  std::uint16_t minor_version = 0;
  std::uint16_t kind_length = 0;
  std::uint16_t cookie_length = 0;
  std::uint16_t unused_2 = 0;
};
struct SetupAnswer {
  std::uint8_t status;         // 0: refused, 1: accepted, 2: more is needed
  std::uint8_t reason_length;  // in bytes
  std::uint16_t major_version;
  std::uint16_t minor_version;
  std::uint16_t length;  // of what follows, in units of 4 bytes
};
constexpr std::uint8_t kAccepted = 1;

std::string padded(std::string text) {
  text.resize((text.size() + 3) / 4 * 4);
  return text;
}

}  // namespace

Result<XDisplay> parse_display(const char* value) {
  if (value == nullptr || *value == 0) {
    return fail("DISPLAY is not set, so there is no X server here; start isolate from a graphical session");
  }
  std::string_view text = value;
  if (text.starts_with("unix:/")) text.remove_prefix(sizeof "unix:" - 1);
  if (text.starts_with('/')) {
    if (auto socket = named_socket(text)) return XDisplay{0, std::move(*socket)};
    return fail(shown(text) + ": there is no such socket");
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(shown(text) + " is not of the form :NUMBER");
  const auto host = text.substr(0, colon);
  if (!host.empty() && host != "unix") {
    return fail(shown(text) +
                " is a display of another machine, or one that ssh forwards; isolate shares only displays of this "
                "machine, such as :0");
  }
  const auto number = text::number(std::string(without_screen(text.substr(colon + 1))), "DISPLAY", 0, kMostDisplays);
  if (!number) return fail(shown(text) + " is not of the form :NUMBER");
  return XDisplay{static_cast<unsigned>(*number), fmt::format("{}/X{}", kSocketDirectory, *number)};
}

Result<XConnection> connect_to_display(const Caller& caller) {
  const char* value = ::getenv("DISPLAY");
  auto display = TRY(parse_display(value));
  auto socket = connect_to(display.socket);
  if (!socket && !display.is_abstract() && display.socket.starts_with(kSocketDirectory)) {
    if (auto abstract = connect_to('@' + display.socket)) {
      display.socket.insert(0, 1, '@');
      socket = std::move(abstract);
    }
  }
  if (!socket) {
    return fail(fmt::format("{}: no X server answers ({})", shown(value), socket.error().message()));
  }
  const auto peer = TRY(socket_peer(socket->get()));
  if (is_trusted(peer.uid, caller)) return XConnection{std::move(display), std::move(*socket)};
  return fail(
      fmt::format("{}: the X server belongs to user {}, who could see the guest's windows and type into them; "
                  "name a display of your own",
                  shown(value), peer.uid));
}

bool has_only_wayland() {
  return environment_variable("DISPLAY").empty() && !environment_variable("WAYLAND_DISPLAY").empty();
}

XCookie cookie_for(const XDisplay& display) {
  char host[HOST_NAME_MAX + 1] = {};
  ::gethostname(host, sizeof host - 1);
  auto number = std::to_string(display.number);
  char kind[] = "MIT-MAGIC-COOKIE-1";
  char* kinds[] = {kind};
  const int kind_length = sizeof kind - 1;
  // libXau would wait for ever for the writer of a pipe.
  struct stat status {};
  if (const char* file = ::XauFileName(); file == nullptr || ::stat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    return {};
  }
  const std::unique_ptr<Xauth, decltype(&XauDisposeAuth)> entry(
      XauGetBestAuthByAddr(FamilyLocal, static_cast<unsigned short>(std::strlen(host)), host,
                           static_cast<unsigned short>(number.size()), number.data(), 1, kinds, &kind_length),
      &XauDisposeAuth);
  if (!entry) return {};
  return {std::string(entry->name, entry->name_length), std::string(entry->data, entry->data_length)};
}

Result<void> check_access(const XConnection& connection, const XCookie& cookie) {
  SetupRequest request;
  request.kind_length = static_cast<std::uint16_t>(cookie.kind.size());
  request.cookie_length = static_cast<std::uint16_t>(cookie.bytes.size());
  std::string message(reinterpret_cast<const char*>(&request), sizeof request);
  message += padded(cookie.kind) + padded(cookie.bytes);
  SetupAnswer answer{};
  const auto name = fmt::format("display :{}", connection.display.number);
  const auto sent = ::send(connection.socket.get(), message.data(), message.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(message.size()) || !read_fully(connection.socket.get(), &answer, sizeof answer)) {
    return fail(name + ": the X server does not answer");
  }
  if (answer.status == kAccepted) return {};
  if (cookie.bytes.empty()) {
    return fail(
        fmt::format("{}: there is no cookie for it in {}, and without one the server refuses; set XAUTHORITY to "
                    "the file that has it",
                    name, text::printable(XauFileName() == nullptr ? "~/.Xauthority" : XauFileName())));
  }
  return fail(fmt::format("{}: the server refuses the cookie in {}; log in again, or set XAUTHORITY to the right file",
                          name, text::printable(XauFileName())));
}

bool accepts_without_cookie(unsigned number) {
  XConnection connection;
  connection.display = {number, fmt::format("@{}/X{}", kSocketDirectory, number)};
  auto socket = connect_to(connection.display.socket);
  if (!socket) return false;
  connection.socket = std::move(*socket);
  return check_access(connection, {}).has_value();
}

Result<unsigned> unused_display_number() {
  // People and display managers use low numbers. The highest one that has a TCP port is 59535.
  constexpr unsigned kFirst = 1000;
  constexpr unsigned kCount = 58000;
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    unsigned random = 0;
    if (::getrandom(&random, sizeof random, 0) != sizeof random) return fail(errno, "getrandom");
    const unsigned number = kFirst + random % kCount;
    if (!connect_to(fmt::format("@{}/X{}", kSocketDirectory, number))) return number;
  }
  return fail("no display number is free");
}

Result<std::string> authority_file(unsigned number, const XCookie& cookie) {
  auto display = std::to_string(number);
  auto kind = cookie.kind;
  auto bytes = cookie.bytes;
  Xauth entry{};
  entry.family = FamilyWild;
  entry.number = display.data();
  entry.number_length = static_cast<unsigned short>(display.size());
  entry.name = kind.data();
  entry.name_length = static_cast<unsigned short>(kind.size());
  entry.data = bytes.data();
  entry.data_length = static_cast<unsigned short>(bytes.size());
  std::string content(display.size() + kind.size() + bytes.size() + 64, '\0');
  struct Close {
    void operator()(FILE* opened) const { ::fclose(opened); }
  };
  const std::unique_ptr<FILE, Close> file(::fmemopen(content.data(), content.size(), "wb"));
  if (!file || XauWriteAuth(file.get(), &entry) != 1) return fail(errno, "write the cookie");
  content.resize(static_cast<std::size_t>(::ftell(file.get())));
  return content;
}

}  // namespace isolate
