// The methods of org.isolate.Manager.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "isolated/service.h"
#include "pool/pool.h"
#include "wire/manager.h"

namespace isolate {

// The answer of a method: the name of an error or "", the parameters, and descriptors that are sent along.
struct Answer {
  std::string error;
  std::string parameters = "{}";  // a JSON object
  std::vector<Fd> descriptors;
  bool is_last = false;  // the daemon closes the connection after this answer
};

// `name` is an error of org.isolate.Manager, or InvalidParameter of org.varlink.service.
Answer error_answer(const char* name, const std::string& message);

struct CallContext {
  const Peer& peer;
  const ServiceSettings& settings;
};

// Calls `answer` with the running lease that the parameter `lease` names, which must belong to the peer's user; for
// root any lease. Returns an error if there is none: the same for a lease of another user, so that the peer learns
// nothing about it.
Answer with_lease_of_peer(const CallContext& context, const wire::Json& parameters,
                          const std::function<Answer(const Pool&, LeaseInfo)>& answer);

// Calls `method` of org.isolate.Manager. Returns nothing if there is no such method.
std::optional<Answer> call_manager(const CallContext& context, const std::string& method, const wire::Json& parameters);

// Leases a clone to the peer. Afterwards this process is in the lease's namespaces and must not serve another request.
Answer call_lease(const CallContext& context, const wire::Json& parameters);

// Says of which generation a lease with these parameters would get a clone.
Answer call_get_generation(const CallContext& context, const wire::Json& parameters);

// Moves the peer's process to the control group of a lease of its user.
Answer call_enter_group(const CallContext& context, const wire::Json& parameters);
// Both take a lease of the peer's user; for root any lease. The first ends it, the second records that a run has taken
// the warm guest on it.
Answer call_kill(const CallContext& context, const wire::Json& parameters);
Answer call_begin_use(const CallContext& context, const wire::Json& parameters);

}  // namespace isolate
