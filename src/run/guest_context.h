// Picks the parts of a plan that the shares and the streams of its guest need.
#pragma once

#include "launch/guest_streams.h"
#include "linux/caller.h"
#include "plan/plan.h"
#include "request/request.h"
#include "share/share.h"

namespace isolate {

// The result refers to `request`.
ShareContext share_context(const RunRequest& request, const RunPlan& plan, const Caller& caller);
StreamOptions stream_options(const RunPlan& plan, const Caller& caller, bool ignore_interrupt);

}  // namespace isolate
