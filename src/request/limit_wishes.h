// Which limits the guest of a request gets.
#pragma once

#include "limits/limit_wishes.h"
#include "request/request.h"

namespace isolate {

// Collects the limits that the options ask for. For a container it adds those of the variables LXC_CPU_QUOTA and
// LXC_MEM_MB_QUOTA, which options override, and the usual limits where neither says anything.
LimitWishes limit_wishes(const RunRequest& request);

}  // namespace isolate
