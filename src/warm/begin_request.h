// BeginRequest: what a run tells the isolate of a warm guest. Everything else is the same for both, or the run does not
// take that guest.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "linux/signal_reset.h"
#include "request/request.h"

namespace isolate {

struct BeginRequest {
  std::string profile;  // see profile.h
  std::vector<std::string> command;
  std::vector<std::string> environment;  // as of RunRequest
  std::string directory;                 // as of RunRequest
  std::optional<std::string> term;       // the run's $TERM
  std::uint64_t timeout = 0;             // milliseconds
  bool ignore_interrupt = false;
  bool timings = false;
  bool sync = false;
  bool quiet = false;
  bool leads_session = false;  // the run is the leader of a session
  mode_t umask = 022;
  SignalState signals{};
  bool operator==(const BeginRequest& other) const;
};

// Both directions of the message. Errors of the first: the command is too long. Errors of the second: plain text.
Result<std::string> to_message(const BeginRequest& request);
Result<BeginRequest> begin_request_from(std::string_view message);

// The request of the warm guest, for the command of that run.
RunRequest request_for(const BeginRequest& begin, const RunRequest& guests);

}  // namespace isolate
