// The end of isolate-x11's connection with isolate, and waiting for its end.
#pragma once

#include <functional>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "share/x_helper.h"

namespace isolate::x11 {

// From here on SIGTERM does not end this process before it has undone what it did.
void hold_termination();

// Sends the answer to isolate.
Result<void> answer(const Result<XCookie>& cookie, const std::vector<int>& descriptors = {});

// Waits until isolate has ended or gives up this process, by closing the connection or by SIGTERM. Calls `look` when
// one of `others` can be read, or its other end is closed, and returns as soon as `look` returns false.
void wait_for_end(const std::vector<int>& others, const std::function<bool()>& look);

}  // namespace isolate::x11
