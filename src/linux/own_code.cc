#include "linux/own_code.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace isolate {
namespace {

int let_go_of_segments(dl_phdr_info* program, std::size_t /*size*/, void* /*data*/) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < program->dlpi_phnum; ++i) {
    const auto& segment = program->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = program->dlpi_addr + segment.p_vaddr;
    const auto first = begin & ~(page - 1);
    // Without that they stay, ignoring.
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the loader tells addresses as numbers
    ::madvise(reinterpret_cast<void*>(first), begin + segment.p_memsz - first, MADV_DONTNEED);
  }
  return 1;  // the program itself comes first, its libraries are no matter
}

}  // namespace

void let_go_of_own_code() { ::dl_iterate_phdr(let_go_of_segments, nullptr); }

}  // namespace isolate
