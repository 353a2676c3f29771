#include "linux/boot_id.h"

#include "linux/file.h"

namespace isolate {

Result<std::string> boot_id() {
  auto id = TRY(read_file("/proc/sys/kernel/random/boot_id"));
  return id.substr(0, id.find('\n'));
}

}  // namespace isolate
