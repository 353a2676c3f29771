// The limits of a guest that a request asks for.
#pragma once

#include "limits/limit_wishes.h"
#include "request/request.h"

namespace isolate {

// Options count more than variables.
LimitWishes limit_wishes(const RunRequest& request);

}  // namespace isolate
