#include "linux/machine_settings.h"

#include <unistd.h>

namespace isolate {

std::vector<std::string> machine_settings() {
  return {"sysrq-trigger", "irq",       "bus",     "fs",     "acpi",       "scsi",
          "sys/abi",       "sys/debug", "sys/dev", "sys/fs", "sys/kernel", "sys/vm"};
}

// A directory shows whether its user and group are both in the namespace, and a setting whether this process is that
// user.
bool may_change_machine(int proc) {
  return ::faccessat(proc, "fs", W_OK, 0) == 0 || ::faccessat(proc, "sys/kernel/core_pattern", W_OK, 0) == 0;
}

}  // namespace isolate
