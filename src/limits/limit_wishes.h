// Limits of a guest as a whole: what was asked for, and what a container has where nothing was.
#pragma once

#include <string>

#include "limits/limit_group.h"

namespace isolate {

struct LimitWishes {
  GroupLimits asked;  // by options, and by the variables of a container: nothing runs without
  GroupLimits usual;  // a container's, of what nobody has asked for: it has them where they are to be had
  std::string memory_name = "--memory";  // what asks for the limit of memory, for people
  std::string variables;                 // those that ask, for people; empty: none does

  bool any() const { return asked.any() || usual.any(); }
  GroupLimits all() const { return all_of(usual); }
  // What was asked for, and of the rest no more than that.
  GroupLimits all_of(const GroupLimits& available) const;
};

}  // namespace isolate
