// The caller's side of isolated's socket.
#pragma once

#include "wire/channel.h"
#include "wire/manager.h"

namespace isolate::wire {

// What the daemon or the way to it has to say, beside the text.
enum class Refusal {
  unreachable,       // no daemon
  not_a_member,      // of the group isolate
  no_such_template,  // none that is registered
  no_such_lease,     // none that is running
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

  // The parameters of the reply to METHOD of org.isolate.Manager. Waits for at most ten minutes.
  CallResult<Json> call(const std::string& method, const Json& parameters);
  // The same in two steps, between which the daemon is at work.
  void send(const std::string& method, const Json& parameters);
  CallResult<Json> receive();
  // Those that came with the last reply.
  std::vector<Fd> take_descriptors() { return channel_.take_descriptors(); }

 private:
  explicit Client(Fd socket) : channel_(std::move(socket), Descriptors::take) {}
  Channel channel_;
  Result<void> sent_;
};

}  // namespace isolate::wire
