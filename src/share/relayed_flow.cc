#include "share/relayed_flow.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "linux/socket.h"

namespace isolate {
namespace {

struct alignas(cmsghdr) ManyDescriptors {
  char bytes[CMSG_SPACE(sizeof(int) * kMostInMessage)];
};

struct Received {
  ssize_t count = -1;  // -1: errno says why
  int flags = 0;
};

// A byte that can't be written. The kernel stops there.
void* closed_byte() {
  static void* const page = ::mmap(nullptr, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page;
}

// Looks at what comes next: whole messages that together have at most `size` bytes, up to and including the first one
// with descriptors. Their bytes stay in the socket. recvmsg(2) would give a part of a message as well, and reports the
// descriptors of messages that it does not reach. Neither happens here, because it finds no room for the next message.
// Errors: EFAULT the first message is longer than `size`.
Received peek(int socket, char* data, std::size_t size) {
  std::array<iovec, 2> room{{{data, size}, {closed_byte(), 1}}};
  msghdr header{};
  header.msg_iov = room.data();
  header.msg_iovlen = room.size();
  Received received;
  received.count = ::recvmsg(socket, &header, MSG_PEEK | MSG_DONTWAIT);
  received.flags = header.msg_flags;
  return received;
}

// If there is no room for descriptors, the kernel flags a message that has some as truncated.
bool has_descriptors(const Received& received) { return (received.flags & MSG_CTRUNC) != 0; }

std::vector<int> numbers_of(const std::vector<Fd>& descriptors) {
  std::vector<int> numbers;
  for (const auto& descriptor : descriptors) numbers.push_back(descriptor.get());
  return numbers;
}

}  // namespace

Result<void> RelayedFlow::move(Portion* scratch) {
  if (!unsent_.empty()) {
    const auto bytes = std::exchange(unsent_, {});
    TRY_VOID(send(bytes));
    if (!unsent_.empty()) return {};
    if (state_ == State::ended) end();
  }
  if (!wants_to_read()) return {};
  const auto bytes = TRY(receive(scratch));
  return bytes.empty() ? Result<void>() : hand_on(bytes);
}

Result<void> RelayedFlow::hand_on(std::string_view bytes) {
  if (questions_ != nullptr) TRY_VOID(questions_->see_answer(bytes));
  if (!editor_) return send(bytes);
  if (!descriptors_.empty()) return fail("descriptors came before the connection was set up");
  const auto edited = TRY(editor_->edit(bytes));
  if (editor_->is_finished()) editor_.reset();
  return edited.empty() ? Result<void>() : send(edited);
}

Result<void> RelayedFlow::see_answer(std::string_view bytes) {
  if (!editor_ || is_finished()) return {};
  const auto released = TRY(editor_->see_answer(bytes));
  if (editor_->is_finished()) editor_.reset();
  if (released.empty()) return {};
  // The flow has read nothing since then, so only this and what the editor let pass before can be unsent.
  const auto bytes_to_send = std::exchange(unsent_, {}) + released;
  return send(bytes_to_send);
}

void RelayedFlow::stop() {
  if (state_ == State::finished) return;
  state_ = State::finished;
  unsent_ = {};
  is_starved_ = false;
  drop_descriptors();
  ::shutdown(from_, SHUT_RD);
}

// Returns the next bytes; they are empty if there are none now, or if the sender has ended. A receiver may expect the
// descriptors of a message in the very call with which it reads the message's first byte, so they must keep their place
// among the bytes. But the kernel hands over a message with descriptors together with bytes that came before it, which
// hides that place. So this peeks first, and takes what comes before the descriptors separately.
Result<std::string_view> RelayedFlow::receive(Portion* scratch) {
  const auto next = peek(from_, scratch->data(), scratch->size());
  // Urgent data (MSG_OOB) keeps the socket readable, and only a call that takes something steps over it.
  if (next.count < 0 && errno == EAGAIN) return receive_with_descriptors(scratch, 1);
  if (next.count < 0 && errno == EFAULT) return receive_with_descriptors(scratch, scratch->size());
  if (next.count <= 0) return receive_nothing(next.count);
  auto size = static_cast<std::size_t>(next.count);
  if (has_descriptors(next)) {
    const auto before = peek(from_, scratch->data(), size - 1);
    if (before.count <= 0) return receive_with_descriptors(scratch, scratch->size());
    size = static_cast<std::size_t>(before.count);
  }
  const auto got = ::recv(from_, scratch->data(), size, MSG_DONTWAIT);
  if (got <= 0) return receive_nothing(got);
  return std::string_view(scratch->data(), static_cast<std::size_t>(got));
}

// Decides by the result of a call that has received no bytes.
Result<std::string_view> RelayedFlow::receive_nothing(ssize_t count) {
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return std::string_view();
  // The sender has closed its socket without having read everything (ECONNRESET). That concerns the other direction.
  if (count < 0 && errno != ECONNRESET) return fail(errno, "recvmsg");
  end();
  return std::string_view();
}

Result<std::string_view> RelayedFlow::receive_with_descriptors(Portion* scratch, std::size_t most) {
  if (!budget_.has_room()) {
    is_starved_ = true;
    return std::string_view();
  }
  iovec bytes{scratch->data(), most};
  ManyDescriptors space;
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  header.msg_control = space.bytes;
  header.msg_controllen = sizeof space.bytes;
  const auto count = ::recvmsg(from_, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (count <= 0) return receive_nothing(count);
  collect_descriptors(header, &descriptors_);
  budget_.used += descriptors_.size();
  if ((header.msg_flags & MSG_CTRUNC) != 0) return fail(EMFILE, "recvmsg");  // some are lost
  return std::string_view(scratch->data(), static_cast<std::size_t>(count));
}

Result<void> RelayedFlow::send(std::string_view bytes) {
  while (!bytes.empty()) {
    iovec data{const_cast<char*>(bytes.data()), bytes.size()};
    ManyDescriptors space;
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    attach_descriptors(numbers_of(descriptors_), space.bytes, &header);
    const auto sent = ::sendmsg(to_, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) {
      stop();
      return {};
    }
    // The kernel may refuse to pass one of the descriptors, or so many of them.
    if (sent < 0) return fail(errno, "sendmsg");
    drop_descriptors();
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  unsent_.assign(bytes);
  return {};
}

void RelayedFlow::end() {
  state_ = unsent_.empty() ? State::finished : State::ended;
  if (is_finished()) ::shutdown(to_, SHUT_WR);
}

void RelayedFlow::drop_descriptors() {
  budget_.used -= descriptors_.size();
  descriptors_.clear();
}

}  // namespace isolate
