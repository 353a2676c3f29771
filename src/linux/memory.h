// How much memory the machine has, from /proc/meminfo.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace isolate {

struct MachineMemory {
  std::uint64_t total = 0;      // bytes
  std::uint64_t available = 0;  // bytes that new programs can use without swapping
  // Whether so little is available that whoever can do without some should give it back: less than a sixteenth, and
  // after that until an eighth is available again.
  bool is_short(bool was_short) const { return available < total / (was_short ? 8 : 16); }
};

Result<MachineMemory> machine_memory();
// The same from the text of that file. Errors: plain text: a value is missing.
Result<MachineMemory> machine_memory_from(std::string_view meminfo);

}  // namespace isolate
