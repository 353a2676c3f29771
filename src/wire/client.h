// Client: calls methods of the daemon isolated over its socket.
#pragma once

#include "wire/channel.h"
#include "wire/manager.h"

namespace isolate::wire {

// Why a call failed, as far as callers distinguish the cases. CallError::message says the rest.
enum class Refusal {
  unreachable,       // no daemon listens
  not_a_member,      // the caller is not in the group isolate
  no_such_template,  // no registered template has this name
  no_such_lease,     // no running lease has this name
  no_such_method,    // the daemon is older than this program
  other,
};

struct CallError {
  Refusal refusal = Refusal::other;
  std::string message;
};
template <typename T>
using CallResult = tl::expected<T, CallError>;

// How long a client waits for a reply by default. Hundreds of requests of the same user may be served before this one,
// and storage may be slow. The daemon ends a request after two minutes, and closes the connection.
constexpr Channel::Milliseconds kPatience{600'000};

class Client {
 public:
  // `patience`: how long to wait for the connection, and later for each reply.
  static CallResult<Client> connect(const std::string& path = kSocketPath, Channel::Milliseconds patience = kPatience);

  // Calls METHOD of org.isolate.Manager and returns the parameters of the reply.
  CallResult<Json> call(const std::string& method, const Json& parameters);
  // The same in two steps, so that the caller can work while the daemon does.
  void send(const std::string& method, const Json& parameters);
  CallResult<Json> receive();
  // Returns the descriptors that came with the last reply.
  std::vector<Fd> take_descriptors() { return channel_.take_descriptors(); }

 private:
  Client(Fd socket, Channel::Milliseconds patience)
      : channel_(std::move(socket), Descriptors::accept), patience_(patience) {}
  Channel channel_;
  Channel::Milliseconds patience_;
  Result<void> sent_;
};

// Calls GetGeneration: what a lease with this request would get a clone of now. Waits for at most 1.5 seconds.
CallResult<GenerationReply> leased_generation(const LeaseRequest& request);

}  // namespace isolate::wire
