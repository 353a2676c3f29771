#include "limits/systemd_scope.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/fd.h"
#include "base/text.h"
#include "base/trace.h"
#include "limits/cgroup.h"
#include "linux/socket.h"

namespace isolate {
namespace {

constexpr int kPatience = 10;  // seconds

// Marshals values for D-Bus in the byte order of this machine. Each value is aligned to its own size.
class Writer {
 public:
  void align(std::size_t size) { bytes_.resize((bytes_.size() + size - 1) / size * size); }
  void byte(char value) { bytes_ += value; }
  void number(std::uint32_t value) {
    align(sizeof value);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void string(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    bytes_.append(value) += '\0';
  }
  void signature(std::string_view value) {
    byte(static_cast<char>(value.size()));
    bytes_.append(value) += '\0';
  }
  // Writes room for the length of an array, and the padding before its first element. Returns the position of the
  // length.
  std::size_t begin_array(std::size_t alignment) {
    number(0);
    const auto at = bytes_.size() - sizeof(std::uint32_t);
    align(alignment);
    array_begin_ = bytes_.size();
    return at;
  }
  void end_array(std::size_t at, std::size_t begin) {
    const auto length = static_cast<std::uint32_t>(bytes_.size() - begin);
    std::memcpy(bytes_.data() + at, &length, sizeof length);
  }
  std::size_t array_begin() const { return array_begin_; }
  void append(const std::string& bytes) { bytes_ += bytes; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  std::size_t array_begin_ = 0;
};

void header_field(Writer* writer, char code, std::string_view type, std::string_view value) {
  writer->align(8);
  writer->byte(code);
  writer->signature(type);
  if (type == "g") {
    writer->signature(value);
  } else {
    writer->string(value);
  }
}

void begin_property(Writer* writer, std::string_view name, std::string_view type) {
  writer->align(8);
  writer->string(name);
  writer->signature(type);
}

std::string scope_body(const std::string& unit, std::uint32_t pid) {
  Writer body;
  body.string(unit);
  body.string("fail");
  const auto properties = body.begin_array(8);
  const auto begin = body.array_begin();
  begin_property(&body, "Description", "s");
  body.string("A guest of isolate with limits");
  begin_property(&body, "Delegate", "b");
  body.number(1);
  begin_property(&body, "CollectMode", "s");
  body.string("inactive-or-failed");
  begin_property(&body, "PIDs", "au");
  const auto pids = body.begin_array(4);
  const auto first = body.array_begin();
  body.number(pid);
  body.end_array(pids, first);
  body.end_array(properties, begin);
  body.begin_array(8);  // no further units
  return body.bytes();
}

Result<void> receive(int socket, void* data, std::size_t size) {
  auto* at = static_cast<char*>(data);
  while (size > 0) {
    const auto got = ::recv(socket, at, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errno == EAGAIN ? ETIMEDOUT : errno, "systemd");
    if (got == 0) return fail("systemd has closed the connection");
    at += got;
    size -= static_cast<std::size_t>(got);
  }
  return {};
}

Result<void> send_all(int socket, std::string_view data) {
  while (!data.empty()) {
    const auto sent = ::send(socket, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return fail(errno, "systemd");
    data.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<Fd> connect_to(const std::string& path) {
  const auto address = TRY(unix_address(path));
  Fd socket(static_cast<int>(TRY(trace::check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket", path))));
  const timeval patience{kPatience, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  TRY(trace::check(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect",
                   path));
  return socket;
}

// SASL, as lines of text. The kernel tells systemd the user id of this process.
Result<void> authenticate(int socket) {
  std::string id;
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char digit : std::to_string(::geteuid())) {
    id += kDigits[static_cast<unsigned char>(digit) >> 4];
    id += kDigits[static_cast<unsigned char>(digit) & 15];
  }
  TRY_VOID(send_all(socket, std::string(1, '\0') + "AUTH EXTERNAL " + id + "\r\n"));
  constexpr std::size_t kLongest = 256;
  std::string line;
  while (!line.ends_with("\r\n") && line.size() < kLongest) {
    char byte = 0;
    TRY_VOID(receive(socket, &byte, 1));
    line += byte;
  }
  if (!line.starts_with("OK")) return fail("systemd refuses to authenticate this user");
  return send_all(socket, "BEGIN\r\n");
}

struct FixedHeader {
  char order;
  unsigned char type;
  unsigned char flags;
  unsigned char version;
  std::uint32_t body_size;
  std::uint32_t serial;
  std::uint32_t fields_size;
};

// Waits for the answer to the call and returns its error, if any. Skips signals, which may come before the answer.
Result<void> receive_answer(int socket) {
  constexpr unsigned char kReturn = 2;
  constexpr unsigned char kError = 3;
  constexpr std::size_t kLongest = 1 << 20;
  while (true) {
    FixedHeader header{};
    TRY_VOID(receive(socket, &header, sizeof header));
    const std::size_t fields = (std::size_t{header.fields_size} + 7) / 8 * 8;
    if (fields > kLongest || header.body_size > kLongest) return fail(EPROTO, "systemd");
    std::string rest(fields + header.body_size, '\0');
    TRY_VOID(receive(socket, rest.data(), rest.size()));
    if (header.type == kReturn) return {};
    if (header.type != kError) continue;
    std::uint32_t length = 0;
    const auto body = rest.substr(fields);
    if (body.size() < sizeof length) return fail("systemd refuses to start a scope");
    std::memcpy(&length, body.data(), sizeof length);
    return fail("systemd refuses to start a scope: " + text::printable(body.substr(sizeof length, length)));
  }
}

}  // namespace

std::string scope_message(const std::string& unit, std::uint32_t pid) {
  const auto body = scope_body(unit, pid);
  Writer message;
  message.byte(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B');
  message.byte(1);  // a method call
  message.byte(0);
  message.byte(1);  // the version of the protocol
  message.number(static_cast<std::uint32_t>(body.size()));
  message.number(1);  // the serial number of the message
  const auto fields = message.begin_array(8);
  const auto begin = message.array_begin();
  header_field(&message, 1, "o", "/org/freedesktop/systemd1");
  header_field(&message, 2, "s", "org.freedesktop.systemd1.Manager");
  header_field(&message, 3, "s", "StartTransientUnit");
  header_field(&message, 6, "s", "org.freedesktop.systemd1");
  header_field(&message, 8, "g", "ssa(sv)a(sa(sv))");
  message.end_array(fields, begin);
  message.align(8);
  message.append(body);
  return message.bytes();
}

Result<std::string> systemd_socket(uid_t uid) {
  if (uid == 0) {
    std::string path = "/run/systemd/private";
    if (::access(path.c_str(), F_OK) == 0) return path;
    return fail("systemd does not run here (no " + path + ")");
  }
  const char* directory = std::getenv("XDG_RUNTIME_DIR");
  if (directory == nullptr || *directory != '/')
    return fail("XDG_RUNTIME_DIR is not set to the runtime directory of a login session");
  auto path = std::string(directory) + "/systemd/private";
  if (::access(path.c_str(), F_OK) == 0) return path;
  return fail("your systemd user manager does not run (no " + path + "); as root: loginctl enable-linger USER");
}

Result<std::string> enter_systemd_scope(const std::string& socket, const std::string& name) {
  using Clock = std::chrono::steady_clock;
  const auto connection = TRY(connect_to(socket));
  TRY_VOID(authenticate(connection.get()));
  const auto unit = name + ".scope";
  TRY_VOID(send_all(connection.get(), scope_message(unit, static_cast<std::uint32_t>(::getpid()))));
  TRY_VOID(receive_answer(connection.get()));
  // The answer says only that systemd has begun to start the scope, so wait until this process is in it.
  const auto end = Clock::now() + std::chrono::seconds(kPatience);
  while (Clock::now() < end) {
    auto own = TRY(own_control_group());
    if (own.ends_with("/" + unit)) return own;
    ::usleep(1000);
  }
  return fail("systemd has not moved this process to " + unit + " within 10 seconds");
}

}  // namespace isolate
