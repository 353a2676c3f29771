#include "wire/channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <cstring>

#include "base/trace.h"
#include "linux/socket.h"

namespace isolate::wire {
namespace {

using Clock = std::chrono::steady_clock;

// Waits until the socket is ready. Errors: ETIMEDOUT.
Result<void> wait_for(int socket, short events, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return fail(ETIMEDOUT, "socket");
    pollfd source{socket, events, 0};
    const int ready = ::poll(&source, 1, static_cast<int>(left));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail(errno, "poll");
  }
}

}  // namespace

Result<std::optional<std::string>> Channel::receive(Milliseconds until_begun, Milliseconds until_whole) {
  const bool has_begun = !buffer_.empty();
  auto deadline = Clock::now() + (has_begun ? until_whole : until_begun);
  std::size_t searched = 0;
  while (true) {
    const auto end = buffer_.find('\0', searched);
    if (end < kLongestMessage) {  // false for npos
      auto message = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return message;
    }
    if (buffer_.size() >= kLongestMessage) return fail(EMSGSIZE, "message");
    searched = buffer_.size();
    TRY_VOID(wait_for(socket_.get(), POLLIN, deadline));
    if (!TRY(read_some())) {
      if (buffer_.empty()) return std::optional<std::string>();
      return fail(EPROTO, "message without an end");
    }
    if (searched == 0 && !has_begun) deadline = Clock::now() + until_whole;
  }
}

bool Channel::has_more() const {
  char byte = 0;
  return !buffer_.empty() || ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

Result<bool> Channel::read_some() {
  char bytes[16384];
  iovec data{bytes, sizeof bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostDescriptors)];
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  if (descriptors_ == Descriptors::accept) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
  }
  const ssize_t got = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got < 0) return fail(errno, "recvmsg");
  if (descriptors_ == Descriptors::accept) TRY_VOID(store_descriptors(&header));
  buffer_.append(bytes, static_cast<std::size_t>(got));
  return got > 0;
}

Result<void> Channel::store_descriptors(msghdr* header) {
  collect_descriptors(*header, &received_);
  // The kernel drops descriptors if the control buffer or this process's descriptor table is full.
  if ((header->msg_flags & MSG_CTRUNC) != 0) return fail(EPROTO, "descriptors were lost");
  if (received_.size() > kMostDescriptors) return fail(EPROTO, "too many descriptors");
  return {};
}

Result<void> Channel::send(std::string_view text, const std::vector<int>& descriptors, Milliseconds until_sent) {
  const auto deadline = Clock::now() + until_sent;
  std::string bytes(text);
  bytes.push_back('\0');
  DescriptorSpace space;
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    iovec data{bytes.data() + sent, bytes.size() - sent};
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    if (sent == 0) attach_descriptors(descriptors, space.bytes, &header);
    const ssize_t put = ::sendmsg(socket_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put >= 0) {
      sent += static_cast<std::size_t>(put);
    } else if (errno == EAGAIN) {
      TRY_VOID(wait_for(socket_.get(), POLLOUT, deadline));
    } else if (errno != EINTR) {
      return fail(errno, "sendmsg");
    }
  }
  return {};
}

}  // namespace isolate::wire
