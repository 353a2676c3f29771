// The end of isolate-x11's connection with isolate, and waiting for its end.
#pragma once

#include <functional>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "share/x_helper.h"

namespace isolate::x11 {

// Ends this process in a while, unless isolate does it before or hold_termination() is called: a display may never
// answer, and then nobody would end this process if isolate was killed.
void limit_time_of_start();
// From here on SIGTERM does not end this process before it has undone what it did.
void hold_termination();

// Sends the answer to isolate.
Result<void> answer(const Result<XCookie>& cookie, const std::vector<int>& descriptors = {});

// Waits until isolate has ended or gives up this process, by closing the connection or by SIGTERM. Calls `look` when
// one of `others` can be read, or its other end is closed, and returns as soon as `look` returns false. After its
// return this process has a few seconds left, even if a display never answers.
void wait_for_end(const std::vector<int>& others, const std::function<bool()>& look);

}  // namespace isolate::x11
