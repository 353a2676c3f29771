// The limits that a guest should have: those that the user asked for, and the defaults of a container.
#pragma once

#include <string>

#include "limits/limit_group.h"

namespace isolate {

struct LimitWishes {
  GroupLimits asked;  // asked for by options or by the variables of a container; without them the run fails
  // A container's defaults for limits that nobody asked for; it runs without those that are not available.
  GroupLimits usual;
  std::string memory_name = "--memory";  // the option or variable that asked for the memory limit, for messages
  std::string variables;                 // the names of the variables that asked for limits, for messages; empty: none

  bool any() const { return asked.any() || usual.any(); }
  GroupLimits all() const { return all_of(usual); }
  // Returns the limits asked for, and those of `available` that nobody asked for.
  GroupLimits all_of(const GroupLimits& available) const;
};

}  // namespace isolate
