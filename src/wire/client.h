// Client: calls methods of the daemon isolated over its socket.
#pragma once

#include <cstdint>

#include "wire/channel.h"
#include "wire/manager.h"

namespace isolate::wire {

// Why a call failed, as far as callers distinguish the cases. CallError::message says the rest.
enum class Refusal {
  unreachable,       // no daemon listens
  not_a_member,      // the caller is not in the group isolate
  no_such_template,  // no registered template has this name
  no_such_lease,     // no running lease has this name
  other,
};

struct CallError {
  Refusal refusal = Refusal::other;
  std::string message;
};
template <typename T>
using CallResult = tl::expected<T, CallError>;

class Client {
 public:
  static CallResult<Client> connect(const std::string& path = kSocketPath);

  // Calls METHOD of org.isolate.Manager and returns the parameters of the reply. Waits for at most ten minutes.
  CallResult<Json> call(const std::string& method, const Json& parameters);
  // The same in two steps, so that the caller can work while the daemon does.
  void send(const std::string& method, const Json& parameters);
  CallResult<Json> receive();
  // Returns the descriptors that came with the last reply.
  std::vector<Fd> take_descriptors() { return channel_.take_descriptors(); }

 private:
  explicit Client(Fd socket) : channel_(std::move(socket), Descriptors::accept) {}
  Channel channel_;
  Result<void> sent_;
};

// Calls GetGeneration: the number of the template's generation of which the daemon would lease a clone now.
CallResult<std::uint64_t> leased_generation(const std::string& template_name);

}  // namespace isolate::wire
