// What anybody may send to isolated's socket, and what isolate reads from it: framing, calls, the lease's parameters.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "fuzz.h"
#include "wire/channel.h"
#include "wire/manager.h"

using namespace isolate;

namespace {

constexpr wire::Channel::Milliseconds kNoTime{1000};

// Returns all messages in the bytes, each ended by a NUL. What follows the last one is an error of the channel.
std::vector<std::string> messages_in(std::string_view bytes) {
  int ends[2];
  fuzz::expect(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "a socket can be made");
  Fd there(ends[1]);
  wire::Channel channel(Fd(ends[0]), wire::Descriptors::refuse);
  std::vector<std::string> messages;
  std::size_t sent = 0;
  while (true) {
    // Send as much as the socket takes, while the other side reads.
    if (sent < bytes.size()) {
      const auto put = ::send(there.get(), bytes.data() + sent, bytes.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (put > 0) sent += static_cast<std::size_t>(put);
    }
    if (sent == bytes.size()) there.reset();
    const auto message = channel.receive(kNoTime, kNoTime);
    if (!message || !*message) return messages;
    fuzz::expect((*message)->size() < wire::kLongestMessage, "no message is longer than it may be");
    fuzz::expect((*message)->find('\0') == std::string::npos, "a NUL ends a message");
    messages.push_back(**message);
  }
}

void try_reply(const wire::Json& parameters) {
  const auto reply = wire::lease_reply_from(parameters);
  if (!reply) return fuzz::expect_printable(reply.error());
  const auto again = wire::lease_reply_from(wire::to_json(*reply));
  fuzz::expect(again && again->maps == reply->maps && again->store == reply->store && again->lease == reply->lease,
               "a reply survives being written");
}

void try_message(const std::string& message) {
  const auto call = wire::parse_call(message);
  if (!call) return fuzz::expect_printable(call.error());
  const auto parameters = wire::parse_object(call->parameters);
  fuzz::expect(parameters && parameters->is_object(), "a call's parameters are an object", call->parameters);
  const auto request = wire::lease_request_from(*parameters);
  if (!request) fuzz::expect_printable(request.error());
  if (request) {
    const auto again = wire::lease_request_from(wire::to_json(*request));
    fuzz::expect(again && again->template_name == request->template_name && again->private_ids == request->private_ids,
                 "a request survives being written");
  }
  try_reply(*parameters);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = fuzz::as_text(data, size);
  for (const auto& message : messages_in(bytes)) try_message(message);
  try_message(std::string(bytes));
  return 0;
}
