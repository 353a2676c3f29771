// Varlink's framing (varlink.org): messages on a stream socket, each terminated by a NUL byte, with descriptors sent
// along.
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

constexpr std::size_t kLongestMessage = 65536;         // bytes, including the NUL
constexpr std::size_t kMostDescriptors = kMostPassed;  // descriptors that one message can carry

enum class Descriptors {
  refuse,  // the kernel closes the descriptors that the peer sends
  accept,
};

class Channel {
 public:
  using Milliseconds = std::chrono::milliseconds;

  Channel(Fd socket, Descriptors descriptors) : socket_(std::move(socket)), descriptors_(descriptors) {}

  // Returns the next message without its NUL, or nothing at the end of the stream. Waits up to `until_begun` for the
  // first byte, and from then on up to `until_whole` for the rest. Errors: ETIMEDOUT; EMSGSIZE the message is too long;
  // EPROTO the stream ends within a message, or descriptors were lost.
  Result<std::optional<std::string>> receive(Milliseconds until_begun, Milliseconds until_whole);
  // True if the peer has sent anything after the last message.
  bool has_more() const;

  // Sends `text` and a NUL. Errors: ETIMEDOUT the peer does not read; EPIPE it has closed the connection.
  Result<void> send(std::string_view text, const std::vector<int>& descriptors, Milliseconds until_sent);

  // Returns the descriptors that have come with the messages so far, and forgets them.
  std::vector<Fd> take_descriptors() { return std::exchange(received_, {}); }
  int fd() const { return socket_.get(); }

 private:
  // Reads the available bytes. Returns false at the end of the stream.
  Result<bool> read_some();
  Result<void> store_descriptors(msghdr* header);

  Fd socket_;
  Descriptors descriptors_;
  std::string buffer_;
  std::vector<Fd> received_;
};

}  // namespace isolate::wire
