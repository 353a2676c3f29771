#include "linux/memory.h"

#include <string>

#include "base/text.h"
#include "linux/file.h"
#include "linux/process_table.h"

namespace isolate {
namespace {

// A line is "NAME:   NUMBER kB".
Result<std::uint64_t> bytes_of(const std::string& meminfo, const char* name) {
  const auto value = status_field(meminfo, name);
  return TRY(text::number(value.substr(0, value.find(' ')), name, 0, UINT64_MAX / 1024)) * 1024;
}

}  // namespace

Result<MachineMemory> machine_memory() { return machine_memory_from(TRY(read_file("/proc/meminfo"))); }

Result<MachineMemory> machine_memory_from(std::string_view meminfo) {
  const auto lines = "\n" + std::string(meminfo);
  MachineMemory memory;
  memory.total = TRY(bytes_of(lines, "MemTotal"));
  memory.available = TRY(bytes_of(lines, "MemAvailable"));
  return memory;
}

}  // namespace isolate
