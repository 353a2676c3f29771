// The connection of isolate-x11 to isolate, and waiting for isolate's end.
#pragma once

#include <functional>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "share/x_helper.h"

namespace isolate::x11 {

// Ends this process after 20 seconds, unless isolate ends it before or hold_termination() is called. A display may
// never answer, and if isolate is killed, nothing else would end this process.
void limit_time_of_start();
// Blocks SIGTERM, so that it does not end this process before the process has undone what it did.
void hold_termination();

// Sends the answer to isolate.
Result<void> answer(const Result<XCookie>& cookie, const std::vector<int>& descriptors = {});

// Waits until isolate ends or closes the connection, or until SIGTERM arrives. Calls `look` when one of `others` can be
// read or its other end is closed, and returns as soon as `look` returns false. After it returns, this process has a
// few seconds left, even if a display never answers.
void wait_for_end(const std::vector<int>& others, const std::function<bool()>& look);

}  // namespace isolate::x11
