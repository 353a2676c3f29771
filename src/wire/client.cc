#include "wire/client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace isolate::wire {
namespace {

constexpr Channel::Milliseconds kMostForSending{10'000};

auto refused(Refusal refusal, std::string message) {
  return tl::unexpected<CallError>(CallError{refusal, std::move(message)});
}

CallError unreachable(int error) {
  if (error == EACCES || error == EPERM) {
    const auto name = user_name(::getuid());
    return {Refusal::not_a_member,
            "you are not a member of the group isolate, whose members may have clones of registered templates; as "
            "root: usermod -aG isolate " +
                (name.empty() ? "USER" : name) + ", and log in again"};
  }
  if (error == EAGAIN) return {Refusal::other, "isolated does not answer"};
  return {Refusal::unreachable,
          "the daemon isolated does not run: " + Error(error, "connect to " + std::string(kSocketPath)).message() +
              "; as root: systemctl start isolated.socket, or start isolated by hand"};
}

Refusal refusal_of(const std::string& error) {
  if (error == "org.isolate.Manager.NoSuchTemplate") return Refusal::no_such_template;
  if (error == "org.isolate.Manager.NoSuchLease") return Refusal::no_such_lease;
  if (error == "org.varlink.service.MethodNotFound") return Refusal::no_such_method;
  return Refusal::other;
}

CallError lost(const Error& error) {
  if (error.code() == ETIMEDOUT) return {Refusal::other, "isolated does not answer"};
  return {Refusal::other, "isolated has closed the connection: " + error.message()};
}

}  // namespace

CallResult<Client> Client::connect(const std::string& path, Channel::Milliseconds patience) {
  const auto address = unix_address(path);
  if (!address) return tl::unexpected<CallError>(unreachable(address.error().code()));
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return tl::unexpected<CallError>(unreachable(errno));
  // If the daemon accepts no connections and many wait already, connect(2) waits as well, for this long.
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience);
  const timeval limit{seconds.count(), std::chrono::microseconds(patience - seconds).count()};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) {
    return tl::unexpected<CallError>(unreachable(errno));
  }
  int connected = 0;
  do {
    connected = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  } while (connected != 0 && errno == EINTR);
  if (connected != 0) return tl::unexpected<CallError>(unreachable(errno));
  return Client(std::move(socket), patience);
}

CallResult<Json> Client::call(const std::string& method, const Json& parameters) {
  send(method, parameters);
  return receive();
}

void Client::send(const std::string& method, const Json& parameters) {
  const Json request = {{"method", std::string(kManager) + "." + method}, {"parameters", parameters}};
  // The daemon may have answered and closed the connection before it has read the request. So receive() looks for an
  // answer first, and reports this error only if there is none.
  sent_ = channel_.send(request.dump(-1, ' ', false, Json::error_handler_t::replace), {}, kMostForSending);
}

CallResult<Json> Client::receive() {
  auto answer = channel_.receive(patience_, kMostForSending);
  if (!answer) return tl::unexpected<CallError>(lost(answer.error()));
  if (!*answer) return tl::unexpected<CallError>(lost(sent_ ? Error("no answer; see its log") : sent_.error()));
  auto reply = parse_object(**answer);
  if (!reply) return refused(Refusal::other, "isolated sent an invalid answer: " + reply.error().message());
  const auto error = reply->find("error");
  auto result = reply->contains("parameters") ? (*reply)["parameters"] : Json::object();
  if (error == reply->end()) return result;
  const auto name = error->is_string() ? error->get<std::string>() : std::string("an error");
  const auto message = result.is_object() ? result.find("message") : result.end();
  if (message == result.end() || !message->is_string()) return refused(refusal_of(name), "isolated: " + name);
  return refused(refusal_of(name), text::printable(message->get<std::string>()));
}

CallResult<GenerationReply> leased_generation(const LeaseRequest& request) {
  constexpr Channel::Milliseconds kMost{1500};
  auto client = Client::connect(kSocketPath, kMost);
  if (!client) return tl::unexpected<CallError>(client.error());
  const auto parameters = client->call("GetGeneration", to_json(request));
  if (!parameters && parameters.error().refusal == Refusal::no_such_method) {
    return refused(Refusal::other, "the running isolated is an older version without warm guests; restart isolated");
  }
  if (!parameters) return tl::unexpected<CallError>(parameters.error());
  auto reply = generation_reply_from(*parameters);
  if (!reply) return refused(Refusal::other, "isolated sent an invalid answer: " + reply.error().message());
  return std::move(*reply);
}

}  // namespace isolate::wire
