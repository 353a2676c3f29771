// Varlink's framing (varlink.org): messages on a stream socket, each ended by a NUL byte, with descriptors beside them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "linux/socket.h"

struct msghdr;

namespace isolate::wire {

constexpr std::size_t kLongestMessage = 65536;         // bytes, with the NUL
constexpr std::size_t kMostDescriptors = kMostPassed;  // that come with one message

enum class Descriptors {
  refuse,  // what the other side sends along is closed by the kernel
  take,
};

class Channel {
 public:
  using Milliseconds = std::chrono::milliseconds;

  Channel(Fd socket, Descriptors descriptors) : socket_(std::move(socket)), descriptors_(descriptors) {}

  // The next message without its NUL; nothing at the end of the stream. `until_begun` until its first byte is there,
  // `until_whole` from then on. Errors: ETIMEDOUT; EMSGSIZE it is too long; EPROTO the stream ends within it, or
  // descriptors were lost.
  Result<std::optional<std::string>> receive(Milliseconds until_begun, Milliseconds until_whole);
  // True if the other side has sent something behind the last message.
  bool has_more() const;

  // Sends `text` and a NUL. Errors: ETIMEDOUT the other side does not read; EPIPE it is gone.
  Result<void> send(std::string_view text, const std::vector<int>& descriptors, Milliseconds until_sent);

  // What has come with the messages so far.
  std::vector<Fd> take_descriptors() { return std::exchange(received_, {}); }
  int fd() const { return socket_.get(); }

 private:
  // Reads what is there. False at the end of the stream.
  Result<bool> read_some();
  Result<void> keep(msghdr* header);

  Fd socket_;
  Descriptors descriptors_;
  std::string buffer_;
  std::vector<Fd> received_;
};

}  // namespace isolate::wire
