#include "limits/limit_wishes.h"

namespace isolate {

GroupLimits LimitWishes::all_of(const GroupLimits& available) const {
  GroupLimits limits = asked;
  if (!limits.memory) limits.memory = available.memory;
  if (!limits.cpu_time) limits.cpu_time = available.cpu_time;
  return limits;
}

}  // namespace isolate
