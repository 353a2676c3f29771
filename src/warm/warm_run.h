// A run that takes a warm guest. Another process isolate has made the guest, and supervises the command.
#pragma once

#include <optional>

#include "request/request.h"

namespace isolate {

// Runs the request's command in a warm guest, if there is one that fits. Returns the exit status of isolate; nothing if
// no guest fits, and then nothing has happened. With WarmUse::required that is an error, which says why.
Result<std::optional<int>> run_in_warm_guest(const RunRequest& request);

}  // namespace isolate
