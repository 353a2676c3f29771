// What becomes of a clone when its run is over.
#pragma once

#include "base/steps.h"
#include "pool/lease.h"

namespace isolate {

// Destroys the lease's clone, or keeps it, and tells where it is then.
Result<void> end_lease(Store& store, Lease* lease, bool keep, Steps* steps);

}  // namespace isolate
