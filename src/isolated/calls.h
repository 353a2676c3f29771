// The methods of org.isolate.Manager, one function each.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "isolated/service.h"
#include "wire/manager.h"

namespace isolate {

// What a method answers: an error's name or none, parameters, and descriptors beside them.
struct Answer {
  std::string error;
  std::string parameters = "{}";  // a JSON object
  std::vector<Fd> descriptors;
  bool is_last = false;  // the connection is closed after it
};

Answer error_answer(const char* name, const std::string& message);

struct CallContext {
  const Peer& peer;
  const ServiceSettings& settings;
};

// `method` of org.isolate.Manager; nothing if there is no such.
std::optional<Answer> call_manager(const CallContext& context, const std::string& method, const wire::Json& parameters);

// Leases a clone to the peer. This process is good for nothing else afterwards.
Answer call_lease(const CallContext& context, const wire::Json& parameters);

// Moves the peer's process to the control group of its user's own lease.
Answer call_enter_group(const CallContext& context, const wire::Json& parameters);
// Ends a lease of the peer's, or for root anyone's.
Answer call_kill(const CallContext& context, const wire::Json& parameters);

}  // namespace isolate
