// Helpers for tests of SocketRelay: a socket of the host, one of the guest, a relay between them, and both its users.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process_testing.h"
#include "linux/socket.h"
#include "share/socket_relay.h"

namespace isolate::test {

constexpr auto kMoment = std::chrono::milliseconds(100);

// A socket of the host, one of the guest, and a relay between them.
class World {
 public:
  explicit World(RelayOptions options = {}) : directory_(open_directory()), relay_(make(std::move(options))) {}

  Fd client() const {
    auto socket = connect_stream(files_ / "guest");
    while (!socket && socket.error().code() == EAGAIN) {
      std::this_thread::sleep_for(kMoment / 100);
      socket = connect_stream(files_ / "guest");
    }
    auto connected = must(std::move(socket));
    ::fcntl(connected.get(), F_SETFL, 0);
    return connected;
  }
  Fd server() const {
    if (!is_readable(host_.get())) throw std::runtime_error("the relay does not connect");
    Fd socket(::accept4(host_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return socket;
  }
  bool has_connection() const {
    pollfd state{host_.get(), POLLIN, 0};
    return ::poll(&state, 1, 100) == 1;
  }
  pid_t pid() const { return relay_->pid(); }
  void signal(int number) const { ::kill(pid(), number); }
  void end() { relay_.reset(); }
  void stop_listening() { host_.reset(); }

  std::vector<std::string> descriptors() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid()) + "/fd")) {
      std::error_code error;  // the relay may have closed it meanwhile
      const auto target = std::filesystem::read_symlink(entry.path(), error);
      if (!error) found.push_back(target);
    }
    return found;
  }
  // In ticks of the clock, of which there are 100 in a second.
  long processor_time() const {
    const auto line = read_text("/proc/" + std::to_string(pid()) + "/stat");
    std::istringstream fields(line.substr(line.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    long user = 0;
    long system = 0;
    fields >> user >> system;
    return user + system;
  }

 private:
  Fd open_directory() const { return must(open_file(AT_FDCWD, files_.path(), O_PATH | O_DIRECTORY)); }
  std::unique_ptr<SocketRelay> make(RelayOptions options) {
    host_ = must(listen_in(directory_, "host", SocketKind::stream));
    auto relay = std::make_unique<SocketRelay>(must(SocketRelay::start(files_ / "host", std::move(options))));
    must(relay->serve(must(listen_in(directory_, "guest", SocketKind::stream))));
    return relay;
  }
  TempDirectory files_;
  Fd directory_;
  Fd host_;
  std::unique_ptr<SocketRelay> relay_;
};

inline void send_text(const Fd& socket, std::string_view text) {
  ASSERT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

inline bool send_descriptors(const Fd& socket, std::string text, std::size_t count, int number = STDIN_FILENO,
                             int flags = 0) {
  const std::vector<int> numbers(count, number);
  std::vector<char> space(CMSG_SPACE(sizeof(int) * count));
  iovec data{text.data(), text.size()};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = space.data();
  header.msg_controllen = space.size();
  auto* control = CMSG_FIRSTHDR(&header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof(int) * count);
  std::memcpy(CMSG_DATA(control), numbers.data(), sizeof(int) * count);
  return ::sendmsg(socket.get(), &header, MSG_NOSIGNAL | flags) == static_cast<ssize_t>(text.size());
}

struct Received {
  std::string text;
  std::vector<Fd> descriptors;
};

// Makes one call, as a program does that reads its messages one by one.
inline Received receive(const Fd& socket, std::size_t most) {
  Received received;
  if (!is_readable(socket.get())) throw std::runtime_error("nothing arrives");
  received.text.resize(most);
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int) * kMostInMessage)];
  iovec data{received.text.data(), most};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = space;
  header.msg_controllen = sizeof space;
  const auto got = ::recvmsg(socket.get(), &header, MSG_CMSG_CLOEXEC);
  received.text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  for (auto* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
    for (std::size_t i = 0; i < (control->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(control) + i * sizeof number, sizeof number);
      received.descriptors.emplace_back(number);
    }
  }
  return received;
}

inline std::string receive_all(const Fd& socket) {
  std::string all;
  for (std::string part; !(part = receive(socket, 65536).text).empty();) all += part;
  return all;
}

// Whether the peer has closed its socket.
inline bool is_closed(const Fd& socket) {
  pollfd state{socket.get(), 0, 0};
  return ::poll(&state, 1, kPatience) == 1 && (state.revents & POLLHUP) != 0;
}

// Sends until nobody takes any more; returns the number of bytes.
inline std::size_t fill(const Fd& socket) {
  const std::string text(4096, 'x');
  std::size_t sent = 0;
  for (int idle = 0; idle < 5;) {
    const auto count = ::send(socket.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    idle = count < 0 ? idle + 1 : 0;
    if (count > 0) sent += static_cast<std::size_t>(count);
    if (count < 0) std::this_thread::sleep_for(kMoment / 5);
  }
  return sent;
}

}  // namespace isolate::test
